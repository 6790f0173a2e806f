"""KRR's two strategies say what KRR's own classes say; the numbers are the cases', K1 to K15."""

from dataclasses import replace

import numpy as np
import pytest
from observed import DAY_MS, MIB, Replica, advice, killed, one_subject, replica

from costlab.core.rightsizing.krr import KrrSettings, KrrSimple, KrrSimpleLimit, whole_millicores, with_buffer
from costlab.core.rightsizing.policy import REASONS, Advised, Policy
from costlab.core.rightsizing.samples import Circumstances
from costlab.domain.advice import Reason

OOM = KrrSettings(use_oomkill_data=True)


def steady(points: int, cores: float, mib: float) -> Replica:
    return replica([cores] * points, [mib * MIB] * points)


def said(advised: Advised) -> tuple[float, float, float, float]:
    return (
        float(advised.cpu_request[0, 0]),
        float(advised.cpu_limit[0, 0]),
        float(advised.memory_request[0, 0] / MIB),
        float(advised.memory_limit[0, 0] / MIB),
    )


@pytest.mark.parametrize(
    ("case", "policy", "pods", "cores", "limit", "mib"),
    [
        ("K1", KrrSimple(), [(60, 0.12, 300), (60, 0.3401, 500)], 0.341, np.inf, 575),
        ("K2", KrrSimple(), [(500, 0.0004, 20)], 0.010, np.inf, 100),
        ("K4", KrrSimple(), [(60, 0.2, 200), (40, 0.1, 10)], 0.2, np.inf, 230),
        ("K11", KrrSimple(KrrSettings(memory_buffer_percentage=30)), [(100, 1, 1000)], 1.0, np.inf, 1300),
        ("K12", KrrSimple(), [(100, 1.0001, 1000)], 1.001, np.inf, 1150),
        ("K14", KrrSimpleLimit(), [(50, 0.1, 100), (50, 1.0, 200)], 1.0, 1.0, 230),
        ("K15", KrrSimpleLimit(), [(90, 0.1, 100), (10, 1.0, 200)], 0.1, 1.0, 230),
        ("K15 simple", KrrSimple(), [(90, 0.1, 100), (10, 1.0, 200)], 1.0, np.inf, 230),
    ],
)
def test_steady_pods(
    case: str, policy: Policy, pods: list[tuple[int, float, float]], cores: float, limit: float, mib: float
) -> None:
    advised = advice(policy, one_subject(*(steady(*pod) for pod in pods)))
    assert said(advised) == (cores, limit, mib, mib), case
    assert np.isnan(advised.cpu_risk).all()
    assert np.isnan(advised.memory_risk).all()


def test_k12_one_byte_more_is_one_mib_more() -> None:
    settings, none = KrrSettings(), np.array([np.nan])
    assert with_buffer(np.array([1000.0 * MIB + 1]), none, settings) == 1151 * MIB
    assert with_buffer(np.array([1000.0 * MIB]), none, settings) == 1150 * MIB
    assert whole_millicores(np.array([1.0001]), settings) == 1.001


def test_k13_percentiles_are_linear_and_of_all_points() -> None:
    cores = np.arange(1, 101) / 1000
    advised = advice(KrrSimpleLimit(), one_subject(replica(cores, np.full(100, MIB))))
    assert said(advised)[:2] == (0.067, 0.097)


@pytest.mark.parametrize(
    ("case", "points", "reason"), [("K3", 99, Reason.TOO_LITTLE_DATA), ("K5", 0, Reason.NOT_OBSERVED)]
)
@pytest.mark.parametrize("policy", [KrrSimple(), KrrSimpleLimit()])
def test_too_little_is_no_advice(case: str, points: int, reason: Reason, policy: Policy) -> None:
    advised = advice(
        policy, one_subject(steady(points // 2, 0.2, 200), steady(points - points // 2, 0.2, 200))
    )
    assert np.isnan(said(advised)).all(), case
    assert REASONS[advised.cpu_reason[0, 0]] is reason
    assert REASONS[advised.memory_reason[0, 0]] is reason


@pytest.mark.parametrize(
    ("case", "settings", "limit_mib", "hours_ago", "mib"),
    [
        ("K6", OOM, 512, 1, 640),
        ("K7", OOM, 400, 1, 575),
        ("not asked for", KrrSettings(), 512, 1, 575),
        ("too long ago", OOM, 512, 14 * 24 + 1, 575),
        ("no limit known", OOM, np.nan, 1, 575),
    ],
)
def test_kills(case: str, settings: KrrSettings, limit_mib: float, hours_ago: float, mib: float) -> None:
    circumstances = killed(limit_mib * MIB, hours_ago=hours_ago)
    advised = advice(KrrSimple(settings), one_subject(steady(500, 0.2, 500)), circumstances)
    assert said(advised)[2:] == (mib, mib), case


@pytest.mark.parametrize(
    ("case", "by", "allow", "cores", "mib"),
    [
        ("K8", "cpu_autoscaled", False, np.nan, 575),
        ("K9", "memory_autoscaled", False, 0.2, np.nan),
        ("K10", "cpu_autoscaled", True, 0.2, 575),
    ],
)
def test_autoscalers(case: str, by: str, allow: bool, cores: float, mib: float) -> None:
    circumstances = replace(Circumstances.nothing_known(1), **{by: np.ones(1, bool)})
    advised = advice(
        KrrSimple(KrrSettings(allow_hpa=allow)), one_subject(steady(500, 0.2, 500)), circumstances
    )
    np.testing.assert_equal(said(advised)[::2], (cores, mib), case)
    reasons = {REASONS[advised.cpu_reason[0, 0]], REASONS[advised.memory_reason[0, 0]]}
    assert reasons == ({Reason.ADVISED} if allow else {Reason.ADVISED, Reason.HPA_MANAGED})


def test_the_percentile_is_asked_for_with_two_decimals() -> None:
    cores = np.ones(20_000)
    cores[7] = 8.0
    samples = one_subject(replica(cores, np.full(20_000, MIB)))
    assert said(advice(KrrSimple(cpu_percentile=99.9), samples))[0] == 8.0
    assert said(advice(KrrSimple(cpu_percentile=99), samples))[0] == 1.0


def test_what_is_older_than_two_weeks_does_not_count() -> None:
    at_ms, cores, memory = replica([5.0, *[0.2] * 200], [9 * 1024 * MIB, *[200 * MIB] * 200])
    for older_ms, peak in ((0, 9 * 1024 * 1.15), (14 * DAY_MS, 230)):
        moved = at_ms.copy()
        moved[0] -= older_ms
        advised = advice(KrrSimple(), one_subject((moved, cores, memory)))
        assert said(advised)[2] == pytest.approx(peak, abs=1)
