"""What is told of HorizontalPodAutoscalers, and what advice makes of it."""

from small_world import Measured, World

from costlab.domain.signals import Signal


def autoscaler(name: str, workload: str) -> dict[str, str]:
    own = {"namespace": "ns", "horizontalpodautoscaler": name}
    return own | {"scaletargetref_kind": "Deployment", "scaletargetref_name": workload}


def target(name: str, metric: str, kind: str) -> dict[str, str]:
    own = {"namespace": "ns", "horizontalpodautoscaler": name}
    return own | {"metric_name": metric, "metric_target_type": kind}


def test_targets_stand_beside_the_workload_whichever_instance_tells_them() -> None:
    made = World().node().pod("p").use("p")
    for instance in ("one", "two"):
        made.add(Signal.AUTOSCALER_INFO, autoscaler("web", "web") | {"instance": instance}, 1)
        made.add(Signal.AUTOSCALER_TARGET, target("web", "cpu", "utilization") | {"instance": instance}, 70)
    made.add(Signal.AUTOSCALER_TARGET, target("web", "memory", "average"), 2**30)
    made.add(Signal.AUTOSCALER_INFO, autoscaler("old", "api"), 1)
    made.add(Signal.AUTOSCALER_TARGET, target("nobody", "cpu", "utilization"), 50)
    rows = [
        tuple(row[name] for name in ("autoscaler", "workload", "metric", "target_type", "target"))
        for row in Measured(made).rows("autoscalers")
    ]
    assert rows == [
        ("old", "api", None, None, None),
        ("web", "web", "cpu", "utilization", 0.7),
        ("web", "web", "memory", "average", 2**30),
    ]


def test_without_autoscalers_there_is_no_row() -> None:
    assert not Measured(World().node().pod("p").use("p")).rows("autoscalers")
