"""Restarts of containers, and those after an out-of-memory kill: what is exposed is counted, the rest is not known."""

from pathlib import Path

from small_world import BEFORE, DAY, Measured, World, at, shift

from costlab.config.settings import Settings
from costlab.domain.errors import ExitCode
from costlab.domain.signals import Signal
from costlab.jobs.measure import measure_day
from costlab.jobs.rightsizing.recommend import recommend_day
from costlab.store.lake import Lake


def pod(name: str) -> dict[str, str]:
    return {"namespace": "ns", "pod": name, "uid": f"{name}-uid", "container": "app"}


def world() -> World:
    made = World().node()
    for name in ("killed", "failed", "calm", "unknown", "untold"):
        made.pod(name).use(name)
    made.add(Signal.CONTAINER_RESTARTS, pod("killed"), lambda t: 4 + (t >= at(6)) + 2 * (t >= at(12)))
    made.add(Signal.CONTAINER_TERMINATED, {**pod("killed"), "reason": "OOMKilled"}, 1, BEFORE, at(12))
    made.add(Signal.CONTAINER_TERMINATED, {**pod("killed"), "reason": "Error"}, 1, at(12))
    made.add(Signal.CONTAINER_RESTARTS, pod("failed"), shift(0, 1))
    made.add(Signal.CONTAINER_TERMINATED, {**pod("failed"), "reason": "Error"}, 1, at(12))
    made.add(Signal.CONTAINER_RESTARTS, pod("calm"), 7)
    made.add(Signal.CONTAINER_RESTARTS, pod("unknown"), shift(0, 1))
    return made


def test_rises_of_the_day_are_counted_with_the_reason_that_is_told() -> None:
    day = Measured(world())
    found = {
        row["pod"]: (row["restarts"], row["oom_kills"]) for row in day.rows("profiles", resource="memory")
    }
    assert found == {
        "killed": (3, 1),  # two of them by an error, and the four before the day are none of it
        "failed": (1, 0),
        "calm": (0, 0),
        "unknown": (1, None),
        "untold": (None, None),
    }


def test_a_second_kube_state_metrics_and_a_gap_count_nothing_twice() -> None:
    made = World().node().pod("a").use("a")
    for instance, end in (("one", at(13)), ("two", at(24))):
        start = BEFORE if instance == "one" else at(11)
        labels = {**pod("a"), "instance": instance}
        made.add(Signal.CONTAINER_RESTARTS, labels, shift(1, 2), start, end)
    (row,) = Measured(made).rows("profiles", resource="cpu")
    assert (row["restarts"], row["oom_kills"]) == (1, None)
    gap = World().node().pod("a").use("a")
    gap.add(Signal.CONTAINER_RESTARTS, pod("a"), 1, BEFORE, at(8))
    gap.add(Signal.CONTAINER_RESTARTS, pod("a"), 3, at(15))
    (row,) = Measured(gap).rows("containers")
    assert row["restarts"] == 2


def test_they_are_of_the_stretch_in_which_they_came() -> None:
    made = World().node().pod("a", requests={"cpu": shift(1, 2, 10), "memory": 2.0**30}).use("a")
    made.add(Signal.CONTAINER_RESTARTS, pod("a"), lambda t: (t >= at(6)) + 2 * (t >= at(12)))
    assert [row["restarts"] for row in Measured(made).rows("containers")] == [1, 2]


def test_a_count_that_no_kubelet_keeps_is_none_and_advice_comes_of_the_rest(tmp_path: Path) -> None:
    made, asked = World().node().pod("a").use("a").pod("b").use("b"), Settings()
    made.add(
        Signal.CONTAINER_RESTARTS, pod("a"), lambda t: 4e18 if at(6) <= t < at(12) else 1 + (t >= at(18))
    )
    made.add(Signal.CONTAINER_RESTARTS, pod("b"), 4e18)
    lake = Lake.create(tmp_path / "lake")
    measure_day(made, lake, asked, "test", DAY)
    found = [(row["pod"], row["restarts"]) for row in lake.read("containers", "test", DAY).to_pylist()]
    assert sorted(found) == [("a", 1), ("b", None)]
    assert recommend_day(lake, asked, "test", DAY).outcome.exit_code is ExitCode.DONE
