"""What becomes of a proposal: refused, raised to a minimum, rounded up, left as it was, or advised."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costlab.core.rightsizing.decisions import (
    CODE,
    Bounds,
    Decided,
    Present,
    Proposals,
    decide,
    rounded_up,
    without_trifles,
)
from costlab.core.rightsizing.policy import REASONS
from costlab.domain.advice import Reason

NAN = float("nan")
CPU = Bounds(0.01, 0.001, 3, 1.0, 0.5, True, 0.1, 0.05, 1.0, 0.5)
MIB = 2.0**20
USUAL: dict[str, Any] = {
    "request": 1.0, "limit": NAN, "guaranteed": False, "evidence_days": 14, "observed_hours": 300.0,
    "occupied_hours": 336.0, "mean": 0.2, "peak": 0.5, "capped": False, "startup": NAN, "oom_kills": 0, "autoscaled": False,
    "autoscale_target": NAN, "silenced": 0, "advised_before": NAN,
}  # fmt: skip


def proposals(request: float, limit: float = NAN, reason: Reason | None = None) -> Proposals:
    one = np.array([NAN])
    code = np.array([CODE[reason] if reason else 0], np.int8)
    return Proposals(np.array([request]), np.array([limit]), one, one, code, ("",))


def present(**more: Any) -> Present:
    return Present(**{name: np.array([value]) for name, value in {**USUAL, **more}.items()})


def decided(
    proposed: float, by_rule: float = NAN, why: Reason | None = None, **more: Any
) -> tuple[float, float, Reason]:
    found = decide(proposals(proposed, by_rule, why), present(**more), CPU)
    return float(found.request[0]), float(found.limit[0]), REASONS[found.reason[0]]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"silenced": CODE[Reason.MUTED]}, Reason.MUTED),
        ({"silenced": CODE[Reason.IGNORED], "observed_hours": 0.0}, Reason.IGNORED),
        ({"observed_hours": 0.0}, Reason.NOT_OBSERVED),
        ({"peak": NAN}, Reason.NOT_OBSERVED),
        ({"evidence_days": 2}, Reason.TOO_LITTLE_DATA),
        ({"observed_hours": 0.9}, Reason.TOO_LITTLE_DATA),  # pods with one sample each
        ({"observed_hours": 150.0}, Reason.TOO_LITTLE_DATA),  # of 336 h
        ({"autoscaled": True}, Reason.HPA_MANAGED),
        (
            {"autoscaled": True, "autoscale_target": 0.2},
            Reason.HPA_MANAGED,
        ),  # as it is, usage is at the target
        ({"capped": True}, Reason.USAGE_WAS_CAPPED),
        ({"oom_kills": 1}, Reason.USAGE_WAS_CAPPED),
    ],
)
def test_a_cut_is_refused_with_its_reason(more: dict[str, Any], why: Reason) -> None:
    request, limit, reason = decided(0.6, **more)
    assert (np.isnan(request), np.isnan(limit), reason) == (True, True, why)
    assert decided(0.6)[2] is Reason.BELOW_REQUEST, "without it, it is advised"


def test_what_a_rule_refuses_is_refused_as_it_says() -> None:
    assert decided(NAN, why=Reason.RISK_TOO_HIGH)[2] is Reason.RISK_TOO_HIGH
    assert decided(NAN)[2] is Reason.TOO_LITTLE_DATA


@pytest.mark.parametrize("more", [{"capped": True}, {"oom_kills": 2}])
def test_what_was_capped_is_raised(more: dict[str, Any]) -> None:
    request, _, reason = decided(1.4, **more)
    assert (request, reason) == (1.4, Reason.OOM_KILLED if "oom_kills" in more else Reason.ABOVE_REQUEST)


@pytest.mark.parametrize(("peak", "why"), [(0.89, Reason.NEAR_ENOUGH), (0.91, Reason.ABOVE_REQUEST)])
def test_a_raise_needs_usage_near_the_request(peak: float, why: Reason) -> None:
    assert decided(1.4, peak=peak)[2] is why


def test_limits_are_kept_and_none_is_added_unless_the_rule_may() -> None:
    kept = replace(CPU, limits_by_rule=False)
    for limit_now, limit in ((2.0, 2.0), (0.3, 0.6)):
        assert decide(proposals(0.6, 0.7), present(limit=limit_now), kept).limit == [limit]
    assert np.isnan(decide(proposals(0.6, 0.7), present(), kept).limit[0])


def test_an_autoscaled_request_is_cut_to_where_usage_is_at_its_target() -> None:
    request, _, reason = decided(0.25, autoscaled=True, autoscale_target=0.5)
    assert (request, reason) == (0.4, Reason.BELOW_REQUEST)  # 0.2 used / 0.5


@pytest.mark.parametrize("request_now", [0.0, NAN])
def test_who_asks_for_nothing_gets_a_request(request_now: float) -> None:
    assert decided(0.004, request=request_now)[::2] == (0.01, Reason.NO_REQUEST)


def test_a_minimum_raises_no_request_that_is_enough() -> None:
    assert decided(0.002, request=0.005)[2] is Reason.NEAR_ENOUGH
    assert decided(0.002, request=0.02)[0] == 0.01


@pytest.mark.parametrize(
    ("limit_now", "guaranteed", "by_rule", "limit"),
    [
        (NAN, False, NAN, NAN),  # none stays none
        (2.0, False, NAN, 2.0),  # one stays as it is
        (0.3, False, NAN, 0.6),  # but not below the request
        (NAN, False, np.inf, NAN),  # the rule wants none
        (2.0, False, np.inf, 2.0),  # but takes away none
        (2.0, False, 0.7004, 0.701),  # the rule wants one
        (2.0, False, 0.5, 0.6),
        (1.0, True, NAN, 0.6),  # Guaranteed stays Guaranteed, whatever the rule wants
        (1.0, True, np.inf, 0.6),
        (1.0, True, 0.9, 0.6),
    ],
)
def test_a_limit_is_set_where_the_rule_or_the_class_of_service_wants_it(
    limit_now: float,
    guaranteed: bool,
    by_rule: float,
    limit: float,
) -> None:
    found = decided(0.6, by_rule, limit=limit_now, guaranteed=guaranteed)[1]
    assert found == limit or (np.isnan(found) and np.isnan(limit))


def test_a_guaranteed_pod_is_not_cut_below_its_peak() -> None:
    """Its limit is its request: it would be throttled where others may use more than they requested."""
    usual = decided(0.3, request=1.0, limit=2.0, peak=0.5)
    guaranteed = decided(0.3, request=1.0, limit=1.0, guaranteed=True, peak=0.5)
    assert (usual[0], guaranteed[0], guaranteed[1]) == (0.3, 0.5, 0.5)


@pytest.mark.parametrize(
    ("request_now", "by_rule", "found"),
    [
        (3.0, NAN, (1.0, NAN, Reason.BELOW_REQUEST)),  # half of what a start uses
        (3.0, 0.4, (1.0, 2.0, Reason.BELOW_REQUEST)),  # and no limit below all of it
        (3.0, np.inf, (1.0, NAN, Reason.BELOW_REQUEST)),
        (0.8, NAN, (NAN, NAN, Reason.STARTUP)),  # no raise, but no cut either
        (1.02, NAN, (NAN, NAN, Reason.STARTUP)),  # hardly a cut
        (0.3, NAN, (NAN, NAN, Reason.NEAR_ENOUGH)),  # what is requested is what would be proposed
        (NAN, NAN, (1.0, NAN, Reason.NO_REQUEST)),
    ],
)
def test_no_cut_goes_below_what_a_start_needs(
    request_now: float, by_rule: float, found: tuple[float, float, Reason]
) -> None:
    standing = present(request=request_now, startup=2.0, peak=2.0)
    done = without_trifles(decide(proposals(0.3, by_rule), standing, CPU), standing, np.array([50.0]), CPU)
    np.testing.assert_equal((done.request[0], done.limit[0], REASONS[done.reason[0]]), found)
    silenced = decide(proposals(0.3), present(request=3.0, startup=2.0, silenced=CODE[Reason.MUTED]), CPU)
    assert not silenced.held[0], "nothing is held where nothing is advised"


@pytest.mark.parametrize(
    ("before", "today", "advised"),
    [
        (0.6, 0.6, 0.6),
        (0.6, 0.55, 0.6),  # within a tenth below: it stands
        (0.6, 0.54, 0.6),
        (0.6, 0.53, 0.53),
        (0.6, 0.601, 0.601),  # more is always taken: the promise is of today's
    ],
)
def test_advice_does_not_flutter(before: float, today: float, advised: float) -> None:
    assert decided(today, advised_before=before)[0] == advised


def test_a_noisy_proposal_changes_seldom() -> None:
    noise = np.random.default_rng(7).uniform(0.56, 0.6, 60)
    before, changes = NAN, 0
    for today in noise:
        after = decided(float(today), advised_before=before)[0]
        changes += after != before
        before = after
        assert after >= today - 1e-9
    assert changes < 8
    plain = {decided(float(today))[0] for today in noise}
    assert len(plain) > 25, "without what was said before, it flutters"


@pytest.mark.parametrize(
    ("request_now", "proposed", "monthly", "advised"),
    [
        (1.0, 0.6, 12.0, True),
        (1.0, 0.96, 12.0, False),  # four per cent
        (1.0, 1.04, -12.0, False),
        (1.0, 0.6, 0.5, False),  # half a dollar a month
        (1.0, 1.5, -0.5, True),  # too little is not a matter of money
        (1.0, 0.6, NAN, True),  # no price known
        (NAN, 0.6, -0.5, True),
    ],
)
def test_what_is_hardly_a_change_is_not_advised(
    request_now: float,
    proposed: float,
    monthly: float,
    advised: bool,
) -> None:
    standing = present(request=request_now, peak=0.95)
    found = without_trifles(decide(proposals(proposed), standing, CPU), standing, np.array([monthly]), CPU)
    assert bool(found.advised[0]) is advised
    assert (REASONS[found.reason[0]] is Reason.NEAR_ENOUGH) is not advised


def test_a_kill_is_never_a_trifle() -> None:
    standing = present(oom_kills=1)
    found = without_trifles(decide(proposals(1.01), standing, CPU), standing, np.array([-0.1]), CPU)
    assert REASONS[found.reason[0]] is Reason.OOM_KILLED


@given(st.integers(0, 10**7), st.sampled_from([1, 5, 10, 250]))
def test_cpu_is_rounded_up_to_exact_millicores(micros: int, step: int) -> None:
    found = float(rounded_up(np.array([micros / 1e6]), step / 1000)[0])
    expected = -(-micros // (step * 1000)) * step
    assert found == expected / 1000


@given(st.integers(0, 2**45), st.sampled_from([MIB, 2**24, 1.0, 4096.0]))
def test_memory_is_rounded_up_to_exact_bytes(size_bytes: int, step: float) -> None:
    found = float(rounded_up(np.array([float(size_bytes)]), step)[0])
    assert found % step == 0
    assert found >= size_bytes * (1 - 1e-9)
    assert found - size_bytes < step


fraction = st.one_of(st.just(NAN), st.floats(0, 100))


@given(fraction, fraction, fraction, fraction, fraction, st.booleans(), st.booleans(), st.booleans())
def test_whatever_is_observed_there_is_a_reason_and_no_nonsense(
    proposed: float, request: float, limit: float, before: float, target: float, guaranteed: bool, capped: bool,
    autoscaled: bool,
) -> None:  # fmt: skip
    standing = present(
        request=request, limit=limit, advised_before=before, autoscale_target=target, guaranteed=guaranteed,
        capped=capped, autoscaled=autoscaled,
    )  # fmt: skip
    found: Decided = decide(proposals(proposed), standing, CPU)
    reason = REASONS[found.reason[0]]
    assert reason is not Reason.ADVISED
    if not found.advised[0]:
        return
    assert found.request[0] >= 0.001
    assert not found.limit[0] < found.request[0]
    assert found.request[0] != request
    assert not (capped and found.request[0] < request)
    assert not guaranteed or found.limit[0] == found.request[0]
