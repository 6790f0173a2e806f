"""Whose a pod is: published cases of others, and labels as the engines of pipelines write them."""

import pytest
from small_world import Measured, World

from costlab.config.settings import PipelineLabels
from costlab.domain.signals import Signal
from costlab.jobs.pipelines import PipelineRun, pipeline_run

POD = {"namespace": "ns", "pod": "a", "uid": "a-uid"}


def workload(kind: str, name: str, *told: tuple[Signal, dict[str, str]]) -> tuple[str, str]:
    """The workload of a pod that this owner made."""
    world = World().node().pod("a").use("a")
    world.add(Signal.POD_OWNER, {**POD, "owner_kind": kind, "owner_name": name}, 1)
    for signal, labels in told:
        world.add(signal, {"namespace": "ns", **labels}, 1)
    (row,) = Measured(world).rows("containers")
    return row["workload_kind"], row["workload"]


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        ("cronjob-1-1651057200", ("CronJob", "cronjob-1")),  # OpenCost's
        ("cj-v1-27517770", ("CronJob", "cj-v1")),  # OpenCost's
        ("backfill-20261120", ("Job", "backfill-20261120")),
        ("backfill-2026112012", ("Job", "backfill-2026112012")),
        ("train-1120", ("Job", "train-1120")),
    ],
)
def test_a_job_of_unknown_owner_is_the_cronjobs_that_its_name_tells(
    job: str, expected: tuple[str, str]
) -> None:
    assert workload("Job", job) == expected
    alone = (Signal.JOB_OWNER, {"job_name": job, "owner_kind": "<none>", "owner_name": "<none>"})
    assert workload("Job", job, alone) == ("Job", job)


def test_owners_are_followed_to_the_top() -> None:
    def owned(signal: Signal, label: str, name: str, kind: str, owner: str) -> tuple[Signal, dict[str, str]]:
        return signal, {label: name, "owner_kind": kind, "owner_name": owner}

    rollout = owned(Signal.REPLICASET_OWNER, "replicaset", "api-6c9f", "Rollout", "api")
    assert workload("ReplicaSet", "api-6c9f", rollout) == ("Rollout", "api")
    job = owned(Signal.JOB_OWNER, "job_name", "train-x", "RayJob", "train")
    assert workload("Job", "train-x", job) == ("RayJob", "train")
    for kind in ("RayCluster", "PyTorchJob", "Workflow"):
        assert workload(kind, "own") == (kind, "own")


ARGO = "label_workflows_argoproj_io_"


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (
            {"label_dag_id": "etl", "label_task_id": "load", "label_run_id": "manual__1", "label_try_number": "2"},
            ("etl", "load", "manual__1"),
        ),
        ({"label_dag_id": "etl", "label_execution_date": "2020-01-01T0000"}, ("etl", None, "2020-01-01T0000")),
        (
            {"label_pipeline_runid": "4d3c", f"{ARGO}workflow": "churn-model-x7k2p", "label_component_name": "train"},
            ("churn-model", "train", "4d3c"),
        ),
        (
            {"label_scheduledworkflows_kubeflow_org_scheduled_workflow_name": "nightly", "label_pipeline_runid": "9f"},
            ("nightly", None, "9f"),
        ),
        ({f"{ARGO}workflow": "etl-1651057200"}, ("etl", None, "etl-1651057200")),
        ({f"{ARGO}workflow": "etl-v2"}, ("etl-v2", None, "etl-v2")),
        ({f"{ARGO}workflow": "w-bcdfg", f"{ARGO}workflow_template": "t"}, ("t", None, "w-bcdfg")),
        ({"label_ray_io_cluster": "tune-raycluster-x7k2p", "label_ray_io_group": "gpu"},
         ("tune", "gpu", "tune-raycluster-x7k2p")),
        ({"label_ray_io_cluster": "chat-llm7b"}, ("chat-llm7b", None, "chat-llm7b")),
        ({"label_task_id": "load"}, (None, None, None)),
        ({"label_dag_id": ""}, (None, None, None)),
    ],
)  # fmt: skip
def test_a_pod_names_its_pipeline_as_its_engine_does(
    labels: dict[str, str], expected: tuple[str | None, ...]
) -> None:
    assert pipeline_run(labels) == PipelineRun(*expected)


def test_labels_of_ones_own_come_before_the_engines_and_in_their_order() -> None:
    own = [
        PipelineLabels(pipeline=("example.com/flowName",), run=("example.com/flow-run",)),
        PipelineLabels(pipeline=("flow",)),
    ]
    labels = {"label_dag_id": "etl", "label_flow": "second", "label_example_com_flow_name": "first"}
    assert pipeline_run(labels, own).pipeline == "first"
    assert pipeline_run({**labels, "label_example_com_flow_name": ""}, own).pipeline == "second"


def test_charges_tell_the_run() -> None:
    world = World().node().pod("a").use("a").pod("b").use("b")
    world.add(Signal.POD_LABELS, {**POD, "label_example_com_flow": "f", "label_example_com_run": "r"}, 1)
    own = {"pipeline": "example.com/flow", "run": "example.com/run"}
    day = Measured(world, owner={"pipelines": [own]})
    for table in ("containers", "charges"):
        told = {
            (row["pod"], row["pipeline"], row["pipeline_task"], row["pipeline_run"])
            for row in day.rows(table)
        }
        assert told >= {("a", "f", None, "r"), ("b", None, None, None)}
