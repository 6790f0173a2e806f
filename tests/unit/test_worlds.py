"""Days of small clusters, each with one thing in it that is easily counted twice, too long, or not at all."""

import pytest
from small_world import AFTER, BEFORE, DAY, DEFAULT, Measured, When, World, at, shift

from costlab.domain.errors import ReconcileError, SourceRefused
from costlab.domain.signals import Signal
from costlab.domain.time import HOUR_MS, MINUTE_MS
from costlab.domain.units import GIB


def test_a_day_of_one_pod() -> None:
    day = Measured(World().node().pod("a").use("a"))
    assert day.total("cost") == pytest.approx(DEFAULT)
    assert day.total("cost_used", resource="cpu", kind="workload") == pytest.approx(0.5 * 24 * 0.1)
    assert day.facts.coverage == 1.0
    assert day.found() == []


def test_init_containers_do_not_lift_coverage() -> None:
    world = World().node().pod("a").use("a", end_ms=at(12)).use("a", container="setup")
    init = {"namespace": "ns", "pod": "a", "uid": "a-uid", "container": "setup", "resource": "cpu"}
    day = Measured(world.add(Signal.INIT_CONTAINER_REQUEST, init, 0.5))
    assert day.facts.signal_coverage["cpu"] == pytest.approx(0.5, abs=0.01)
    assert day.found().count("init_container_usage") == 1


def test_a_container_that_was_put_in_for_debugging_is_billed_by_what_it_uses() -> None:
    """kube-state-metrics tells nothing of ephemeral containers: only their usage shows that they are there."""
    world = World().node().pod("a").use("a")
    world.use("a", container="debugger", cpu=0.25, memory=GIB / 4, start_ms=at(6), end_ms=at(18))
    day = Measured(world)
    assert day.total("cost") == pytest.approx(DEFAULT)
    assert day.total("billed_quantity", container="app", resource="cpu") == pytest.approx(24)
    for resource, used in (("cpu", 0.25), ("memory", 0.25)):
        of = {"container": "debugger", "resource": resource}
        assert day.total("billed_quantity", **of) == pytest.approx(12 * used, rel=0.01)
        assert day.total("cost_unused", **of) == 0
    assert day.found() == []


def test_the_overhead_of_a_runtime_class_is_reserved_beyond_the_containers() -> None:
    world = World().node().pod("a").use("a", cpu=1.0, memory=GIB)
    labels = {"namespace": "ns", "pod": "a", "uid": "a-uid"}
    world.add(Signal.POD_OVERHEAD_CPU, labels, 0.25).add(Signal.POD_OVERHEAD_MEMORY, labels, 2.0 * GIB)
    day = Measured(world)
    for resource, hours in (("cpu", 0.25 * 24), ("memory", 2 * 24)):
        (beyond,) = day.rows("charges", resource=resource, container="")
        assert beyond["billed_quantity"] == pytest.approx(hours)
        assert beyond["cost_unused"] == beyond["cost"]


def test_what_began_before_midnight_is_seen_from_midnight_on() -> None:
    half = MINUTE_MS // 2
    day = Measured(World().node().pod("a").use("a", start_ms=BEFORE + half))
    assert day.facts.coverage == 1.0
    assert day.total("used_quantity", resource="cpu", kind="workload") == pytest.approx(12)


def test_a_container_is_seen_from_its_start_and_not_from_its_first_sample() -> None:
    half = MINUTE_MS // 2
    world = World().node().pod("x").use("x").pod("a", start_ms=at(6))
    cgroup = {"namespace": "ns", "pod": "a", "container": "app", "id": "/a/app"}
    # Busy while it starts: 60 core-seconds in the first half minute, half a core from then on.
    world.add(Signal.CPU_SECONDS, cgroup, lambda t: 45 + (t - at(6)) / 2000, start_ms=at(6) + half)
    world.add(Signal.CONTAINER_START_TIME, cgroup, at(6) / 1000, start_ms=at(6) + half)
    day = Measured(world)
    assert day.total("used_quantity", resource="cpu", pod="a") == pytest.approx((18 * 1800 + 45) / 3600)
    assert day.rows("charges", resource="cpu", pod="a")[0]["coverage"] == 1.0


def test_a_node_whose_price_no_double_tells_to_a_micro_unit_is_refused() -> None:
    world = World().node(cpu=1e10).pod("a").use("a")
    with pytest.raises(ReconcileError, match=r"node n1 would cost 2\.4e\+10 a day, more than can be told"):
        Measured(world)


def test_a_start_that_is_no_instant_is_not_known() -> None:
    world = World().node().pod("a").use("a")
    cgroup = {"namespace": "ns", "pod": "a", "container": "app", "id": "/a/app"}
    plain = Measured(world).total("used_quantity", resource="cpu", pod="a")
    world.add(Signal.CONTAINER_START_TIME, cgroup, 4e18)
    for counter in (Signal.CPU_PERIODS, Signal.CPU_THROTTLED_PERIODS):
        world.add(counter, cgroup, lambda t: (t - BEFORE) / 100)
    assert Measured(world).total("used_quantity", resource="cpu", pod="a") == plain


def test_a_pod_is_there_no_later_than_it_is_told_of() -> None:
    world = World().node().pod("x").use("x").pod("a", start_ms=at(6)).use("a", start_ms=at(6))
    labels = {"namespace": "ns", "pod": "a", "uid": "a-uid"}
    world._series[Signal.POD_SCHEDULED_TIME].clear()  # noqa: SLF001 - by a clock that is half an hour fast
    world.add(Signal.POD_SCHEDULED_TIME, labels, at(6.5) / 1000, start_ms=at(6))
    (row,) = Measured(world).rows("containers", pod="a")
    assert (row["start"].hour, row["start"].minute) == (6, 0)


def test_a_pod_that_vanishes_while_others_stay_has_ended() -> None:
    world = World().node().pod("a").use("a").pod("b", start_ms=at(6), end_ms=at(8) + 1).use("b", end_ms=at(8))
    (row,) = Measured(world).rows("containers", pod="b")
    assert (row["start"].isoformat(), row["end"].isoformat()) == (
        "2026-11-20T06:00:00+00:00",
        "2026-11-20T08:01:00+00:00",
    )


def test_labels_are_those_that_were_told_last() -> None:
    world = World().node().pod("a").use("a")
    labels = {"namespace": "ns", "pod": "a", "uid": "a-uid"}
    world.add(Signal.POD_LABELS, {**labels, "label_team": "zeta"}, 1, end_ms=at(-0.05))
    world.add(Signal.POD_LABELS, {**labels, "label_team": "alpha"}, 1, start_ms=at(-0.05))
    assert {row["team"] for row in Measured(world).rows("containers")} == {"alpha"}


def test_neighbouring_days_are_no_finding_of_this_one() -> None:
    world = World().node().pod("x").use("x")
    lives: dict[str, When] = {"old": {"end_ms": at(-0.04)}, "next": {"start_ms": at(24.02)}}
    for name, when in lives.items():
        world.pod(name, **when).use(name, **when)
    assert Measured(world).found() == []


def test_a_cgroup_that_two_jobs_scrape_is_one_cgroup() -> None:
    world = World().node().pod("a").use("a", instance="10.0.0.1:10250").use("a", instance="node-1")
    assert Measured(world).total("used_quantity", resource="cpu", kind="workload") == pytest.approx(12)


@pytest.mark.parametrize(
    "paths",
    [
        pytest.param(["/kubepods/pod1/c1.scope/kubepods/pod1/c1.scope"], id="within"),
        pytest.param(["/docker/f00/kubepods/pod1/c1.scope"], id="as the host calls it"),
        pytest.param(
            ["/docker/f00/kubepods/pod1/c1.scope", "/docker/f00/kubepods/pod1/c1.scope/init.scope"], id="both"
        ),
    ],
)
def test_a_cgroup_within_another_of_its_container_counts_once(paths: list[str]) -> None:
    world = World().node().pod("a").use("a", id="/kubepods/pod1/c1.scope")
    for path in paths:
        world.use("a", id=path)
    # The container before, whose path only begins with the same letters, is another cgroup: it is added.
    day = Measured(world.use("a", cpu=0.25, id="/kubepods/pod1/c1"))
    assert day.total("used_quantity", resource="cpu", kind="workload") == pytest.approx(18)
    assert day.total("used_quantity", resource="memory", kind="workload") == pytest.approx(12)


def test_cgroups_within_one_that_nobody_knows_count_once_too() -> None:
    world = World().node().pod("a").use("a")
    for path in ("/kubepods/pod1/c1.scope", "/kubepods/pod1/c1.scope/init.scope"):
        world.use("gone", id=path)
    (message,) = (row["message"] for row in Measured(world).rows("findings", rule="usage_without_pod"))
    assert message.startswith("12.000 core-hours")


def test_a_cgroup_of_yesterdays_pod_is_not_that_of_todays() -> None:
    uids = [f"{i}0000000-0000-4000-8000-000000000000" for i in (1, 2)]
    world = World().node().pod("web-0", uid=uids[1], requests={"cpu": 0.1})
    for uid, cores in zip(uids, (1.0, 0.25), strict=True):
        world.use("web-0", cpu=cores, memory=cores * GIB, id=f"/kubepods/pod{uid}/c")
    day = Measured(world)
    assert day.total("used_quantity", resource="cpu", pod="web-0") == pytest.approx(6)
    assert day.total("used_quantity", resource="memory", pod="web-0") == pytest.approx(6)
    assert "usage_without_pod" in day.found()


def test_a_cgroup_with_a_uid_is_that_of_a_pod_whose_uid_nobody_tells() -> None:
    world = World().node().pod("a", uid="")
    day = Measured(world.use("a", id="/kubepods/pod10000000-0000-4000-8000-000000000000/c"))
    assert day.total("used_quantity", resource="cpu", pod="a") == pytest.approx(12)


def test_a_resize_within_the_day_is_billed_by_its_parts() -> None:
    world = World().node().pod("a", requests={"cpu": shift(1.0, 2.0)}).use("a", cpu=0.1)
    day = Measured(world)
    assert len(day.rows("containers")) == 2
    assert day.total("billed_quantity", resource="cpu", kind="workload") == pytest.approx(36, abs=0.02)


def test_a_finished_pod_costs_nothing_more() -> None:
    world = (
        World()
        .node()
        .pod("a")
        .use("a")
        .pod("job", phase="Succeeded", start_ms=at(2))
        .use("job", start_ms=at(2))
    )
    labels = {"namespace": "ns", "pod": "job", "uid": "job-uid"}
    world.add(Signal.POD_COMPLETION_TIME, labels, at(3) / 1000)
    world.add(Signal.POD_PHASE, {**labels, "phase": "Succeeded"}, shift(0, 1, 3))
    assert Measured(world).total("billed_quantity", resource="cpu", pod="job") == pytest.approx(0, abs=1.01)


def test_classes_by_label_find_labels_as_kubernetes_writes_them() -> None:
    world = World().node().pod("a").use("a")
    labels = {"namespace": "ns", "pod": "a", "uid": "a-uid", "label_app_kubernetes_io_component": "train"}
    rule = {"training": {"labels": {"app.kubernetes.io/component": "train"}}}
    day = Measured(world.add(Signal.POD_LABELS, labels, 1), classes=rule)
    assert day.rows("containers")[0]["class"] == "training"


def test_the_mark_of_a_series_end_is_no_sample() -> None:
    world = World().node().pod("x").use("x").pod("a", start_ms=at(6), end_ms=at(8) + 1)
    for signal in (Signal.POD_INFO, Signal.POD_PHASE):
        more = {"node": "n1"} if signal is Signal.POD_INFO else {"phase": "Running"}
        labels = {"namespace": "ns", "pod": "a", "uid": "a-uid", **more}
        world.add(signal, labels, float("nan"), start_ms=at(8) + MINUTE_MS, end_ms=at(8) + 2 * MINUTE_MS)
    (row,) = Measured(world).rows("containers", pod="a")
    assert row["end"].isoformat() == "2026-11-20T08:01:00+00:00"


def test_the_scrape_interval_is_told_of_each_signal() -> None:
    world = World().node().pod("a").use("a", step_ms=30_000).gpu("GPU-1", 0.2, "a", step_ms=15_500)
    world.add(
        Signal.POD_LABELS,
        {"namespace": "ns", "pod": "a", "uid": "a-uid"},
        1,
        start_ms=at(1),
        end_ms=at(1) + 1,
    )
    day = Measured(world)
    assert day.facts.scrape_interval_s == {
        "cpu_seconds": 30.0, "memory_bytes": 30.0, "gpu_utilization": 15.5,
        **dict.fromkeys(("pod_info", "pod_phase", "pod_scheduled_time", "container_request", "node_capacity",
                         "node_allocatable"), 60.0),
    }  # fmt: skip
    assert day.found() == ["unattributed_gpu"]


def test_scrapes_further_apart_than_a_sample_holds_are_a_finding() -> None:
    day = Measured(World().node().pod("a").use("a", step_ms=10 * MINUTE_MS))
    assert day.facts.signal_coverage == {"cpu": 0.0, "memory": pytest.approx(0.5, abs=0.01)}
    (row,) = day.rows("findings", rule="scrape_interval")
    assert (row["subject"], row["severity"]) == ("cAdvisor", "warning")
    assert "cpu_seconds, memory_bytes come every 600 s and hold for 300 s" in row["message"]
    held = Measured(World().node().pod("a").use("a", step_ms=10 * MINUTE_MS), billing={"max_gap": "25m"})
    assert (held.facts.coverage, held.found()) == (1.0, [])


@pytest.mark.parametrize(("minutes", "rules"), [(5, []), (6, ["short_pods_missed"])])
def test_pods_that_are_told_of_seldom_may_be_missed(minutes: int, rules: list[str]) -> None:
    world = World().node().pod("a", step_ms=minutes * MINUTE_MS).use("a")
    assert Measured(world, billing={"max_gap": "25m"}).found() == rules


def test_a_pod_without_a_node_costs_nothing_until_it_has_one() -> None:
    waiting = World().node().pod("waits", node="", phase="Pending", end_ms=at(6)).pod("runs")
    day = Measured(waiting)
    assert {row["pod"] for row in day.rows("containers")} == {"runs"}
    assert day.total("cost") == pytest.approx(DEFAULT)


def test_an_empty_cluster_is_refused() -> None:
    world = World().node().pod("a", end_ms=at(-0.5)).use("a").pod("later", start_ms=at(24.05))
    with pytest.raises(SourceRefused, match="no pod occupied a node on 2026-11-20"):
        Measured(world)
    assert AFTER - BEFORE == 26 * HOUR_MS
    assert str(DAY) == "2026-11-20"
