"""What is told of ResourceQuotas, and what becomes of it."""

import math

import pyarrow as pa
import pytest
from small_world import AFTER, Measured, World, at, shift

from costlab.config.settings import Settings
from costlab.domain.signals import Signal
from costlab.domain.units import GIB
from costlab.jobs.facts import observe_day
from costlab.sources.synthetic import SyntheticCluster, SyntheticSource
from costlab.sources.synthetic.story import QUOTAS


def told(key: str, kind: str, quota: str = "compute", **more: str) -> dict[str, str]:
    return {"namespace": "ns", "resourcequota": quota, "resource": key, "type": kind, **more}


def test_a_quota_has_its_last_limit_and_the_time_weighted_use_of_the_day() -> None:
    made = World().node().pod("p").use("p")
    for instance in ("one", "two"):  # of kube-state-metrics: one truth, no sum
        made.add(Signal.QUOTA, told("requests.cpu", "hard", instance=instance), shift(8, 12, hour=18))
        made.add(Signal.QUOTA, told("requests.cpu", "used", instance=instance), shift(2, 6, hour=6))
    made.add(Signal.QUOTA, told("requests.nvidia.com/gpu", "hard"), 4)
    made.add(Signal.QUOTA, told("pods", "used"), 3)  # without a limit it is no key of a quota
    made.add(Signal.QUOTA, told("requests.memory", "hard", "gone"), 8 * GIB, end_ms=at(-0.5))
    cpu, gpu = Measured(made).rows("quotas")
    assert (cpu["quota"], cpu["resource"], cpu["hard"], cpu["used_max"]) == ("compute", "requests.cpu", 12, 6)
    assert cpu["used_mean"] == pytest.approx((6 * 2 + 18 * 6) / 24, rel=1e-3)
    assert gpu["resource"] == "requests.nvidia.com/gpu"
    assert (gpu["hard"], math.isnan(gpu["used_mean"]), math.isnan(gpu["used_max"])) == (4, True, True)


def test_use_counts_for_the_time_in_which_it_was_told() -> None:
    made = World().node().pod("p").use("p").add(Signal.QUOTA, told("pods", "hard"), 10)
    made.add(Signal.QUOTA, told("pods", "used"), 4, start_ms=at(20), end_ms=AFTER)
    (row,) = Measured(made).rows("quotas")
    assert (row["used_mean"], row["used_max"]) == (4, 4)


def test_without_quotas_there_is_no_row() -> None:
    assert not Measured(World().node().pod("p").use("p")).rows("quotas")


def test_the_synthetic_cluster_tells_of_its_quotas() -> None:
    story = SyntheticCluster(days=2)
    quotas = observe_day(SyntheticSource(story), Settings(), "demo", story.days[-1]).tables["quotas"]
    assert isinstance(quotas, pa.Table)
    rows = quotas.to_pylist()
    assert {(row["namespace"], row["quota"], row["resource"]): row["hard"] for row in rows} == {
        (*whose, key): hard for whose, keys in QUOTAS.items() for key, hard in keys.items()
    }
    used = {(row["namespace"], row["resource"]): row["used_max"] for row in rows}
    assert (
        used["nlp", "requests.nvidia.com/gpu"] == 13
    )  # 3 of the chat, 2 of the embedder, 8 of the pre-training
    assert used["vision", "requests.nvidia.com/gpu"] == 20  # 16 of them wait for a node that is large enough
