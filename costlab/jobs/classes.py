"""What kind of work a workload does: by configured rules, else by how it behaves."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

from costlab.config.advising import WorkloadClass
from costlab.config.book import plain_label
from costlab.config.settings import ClassRule
from costlab.domain.identity import WorkloadKey

_RUNS_TO_ITS_END = (
    "Job", "CronJob", "JobSet", "PyTorchJob", "TFJob", "MPIJob", "XGBoostJob", "PaddleJob", "TrainJob", "RayJob",
    "SparkApplication", "Workflow",
)  # fmt: skip


def class_of(
    workload: WorkloadKey, labels: Mapping[str, str], rules: Mapping[WorkloadClass, ClassRule], *, gpu: bool
) -> str:
    """The first class whose rule fits, else what the workload's behaviour tells.

    A job is training with a GPU and batch without; what stays up is inference with a GPU, a notebook if its name says
    so, and a service without.
    """
    plain = {plain_label(key): text for key, text in labels.items()}
    for name, rule in rules.items():
        if any(plain.get(plain_label(key)) == value for key, value in rule.labels.items()):
            return name.value
        if any(fnmatchcase(workload.name, pattern) for pattern in rule.names):
            return name.value
    if any(word in workload.name.lower() for word in ("notebook", "jupyter")):
        return WorkloadClass.NOTEBOOK.value
    if workload.kind in _RUNS_TO_ITS_END:
        return (WorkloadClass.TRAINING if gpu else WorkloadClass.BATCH).value
    return (WorkloadClass.INFERENCE if gpu else WorkloadClass.SERVICE).value
