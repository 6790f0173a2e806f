"""Which advice is worth a manifest, and the manifests of it: for people to review, never applied."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from costlab.domain.errors import ConfigError
from costlab.domain.manifests import ManifestForm
from costlab.render.manifests.forms import (
    VALUES_PATH,
    Files,
    helm_values,
    kubectl,
    kustomize,
    vertical_autoscalers,
)
from costlab.render.manifests.workload import Steps, Workload, workloads

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Choice:
    """Only some of the advice: of workloads that save so much a month (gross); only raises, or only cuts."""

    min_saving: Decimal | None = None
    raises: bool = True
    cuts: bool = True


@dataclass(frozen=True, slots=True)
class Shape:
    """How manifests are written. folder, file: where they will lie, for the line that applies them."""

    form: ManifestForm = ManifestForm.KUBECTL
    steps: Steps = field(default_factory=Steps)
    folder: str = "."
    file: str = ""
    base: str = "../base"
    values_path: str = VALUES_PATH


def worth_a_patch(rows: Sequence[Row], choice: Choice) -> list[Workload]:
    """The workloads with a proposal that was chosen; a request that stays is no raise and no cut."""
    chosen = [
        row
        for row in rows
        if row["proposed_request"] is not None
        and (
            (choice.raises and choice.cuts)
            or (choice.raises and row["proposed_request"] > (row["current_request"] or 0))
            or (choice.cuts and row["proposed_request"] < (row["current_request"] or 0))
        )
    ]
    return [
        each for each in workloads(chosen) if choice.min_saving is None or _saving(each) >= choice.min_saving
    ]


def manifests(found: Sequence[Workload], shape: Shape) -> Files:
    """Files by their paths; of several clusters, in a folder for each. Raises ConfigError as the forms do."""
    clusters = sorted({each.cluster for each in found})
    files: Files = {}
    for cluster in clusters:
        before = f"{cluster}/" if len(clusters) > 1 else ""
        some = [each for each in found if each.cluster == cluster]
        for path, text in _written(some, shape, before.rstrip("/")).items():
            files[before + path] = text
    return files


def _written(found: Sequence[Workload], shape: Shape, below: str) -> Files:
    if shape.form is ManifestForm.KUBECTL:
        return kubectl(found, shape.steps, f"{shape.folder}/{below}".rstrip("/"), shape.file)
    if shape.form is ManifestForm.KUSTOMIZE:
        return kustomize(found, shape.steps, shape.base)
    if shape.form is ManifestForm.VPA:
        return vertical_autoscalers(found, shape.steps)
    return helm_values(found, shape.steps, shape.values_path)


def as_one(files: Files) -> str:
    """All files as one stream of documents. Raises ConfigError for values of several clusters, which are not one chart's."""
    if len(files) > 1 and any(path.endswith("values.yaml") for path in files):
        raise ConfigError(
            "values of several clusters are several files", "name a folder with --out, or one --cluster"
        )
    return "---\n".join(files.values())


def _saving(workload: Workload) -> Decimal:
    """What all its changes save in a month; what has no price saves nothing that is known."""
    amounts = [row["monthly_saving_gross"] for each in workload.containers for row in each.rows.values()]
    return sum((amount for amount in amounts if amount is not None), Decimal(0))
