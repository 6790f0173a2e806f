"""Which run of which pipeline a pod worked for, by the labels that pipeline engines put on their pods."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from costlab.config.book import plain_label
from costlab.config.settings import PipelineLabels

# What the API server adds to `generateName`, out of its own alphabet without vowels, and a CronWorkflow's epoch second.
_NAMED_ANEW = re.compile(r"-(?:[bcdfghjklmnpqrstvwxz2456789]{5}|1[4-9][0-9]{8})$")
_CLUSTER_OF_A_JOB = re.compile(r"-raycluster-[a-z0-9]{5}$")


@dataclass(frozen=True, slots=True)
class PipelineRun:
    """A task of a run of a pipeline; None where no label tells."""

    pipeline: str | None = None
    task: str | None = None
    run: str | None = None


@dataclass(frozen=True, slots=True)
class _Engine:
    """Label names of an engine, each in the order in which they are tried.

    named_after: an object of one run; without a pipeline's own label its name, less `suffix`, is the pipeline's.
    """

    pipeline: tuple[str, ...] = ()
    task: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    named_after: tuple[str, ...] = ()
    suffix: re.Pattern[str] = _NAMED_ANEW


_WORKFLOW = "workflows.argoproj.io/workflow"
_ENGINES = (
    # Airflow's KubernetesPodOperator and KubernetesExecutor; before 2.2 a run was told by its date.
    _Engine(("dag_id",), ("task_id",), ("run_id", "execution_date")),
    # Kubeflow Pipelines: TFX and recurring runs name the pipeline, every pod its run; Argo runs them.
    _Engine(
        ("pipelines.kubeflow.org/pipelinename", "scheduledworkflows.kubeflow.org/scheduledWorkflowName"),
        ("pipelines.kubeflow.org/component_name", "component_name"),
        ("pipeline/runid",),
        (_WORKFLOW,),
    ),
    # Argo Workflows: its pods carry the Workflow's name; the others are there if `podMetadata` hands them on.
    _Engine(
        (
            "workflows.argoproj.io/workflow-template",
            "workflows.argoproj.io/cluster-workflow-template",
            "workflows.argoproj.io/cron-workflow",
        ),
        run=(_WORKFLOW,),
        named_after=(_WORKFLOW,),
    ),
    # KubeRay: the cluster of a RayJob is made for one run of it.
    _Engine(
        ("ray.io/originated-from-cr-name",),
        ("ray.io/group",),
        ("ray.io/cluster",),
        ("ray.io/cluster",),
        _CLUSTER_OF_A_JOB,
    ),
)


def pipeline_run(labels: Mapping[str, str], own: Iterable[PipelineLabels] = ()) -> PipelineRun:
    """What the first engine that left a label of a pipeline or of a run tells; configured ones come first."""
    plain = {plain_label(name): text for name, text in labels.items()}
    configured = (_Engine(entry.pipeline, entry.task, entry.run) for entry in own)
    for engine in (*configured, *_ENGINES):
        pipeline, task, run, instance = (
            _first(plain, names) for names in (engine.pipeline, engine.task, engine.run, engine.named_after)
        )
        if pipeline or run:
            return PipelineRun(pipeline or (engine.suffix.sub("", instance) if instance else None), task, run)
    return PipelineRun()


def _first(plain: Mapping[str, str], names: Iterable[str]) -> str | None:
    return next((plain[name] for name in map(plain_label, names) if plain.get(name)), None)
