"""What a question asks by, and of whom."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches

import pyarrow as pa
import pyarrow.compute as pc

from costlab.domain.errors import ConfigError

LABEL = "label:"

# What is asked by, and the columns that tell it apart: two namespaces may each have a workload `api`.
OF_PODS = {
    "cluster": ("cluster",),
    "team": ("team",),
    "namespace": ("namespace",),
    "workload": ("namespace", "workload_kind", "workload"),
    "pod": ("namespace", "pod"),
    "node": ("node",),
    "pipeline": ("pipeline",),
    "pipeline_task": ("pipeline_task",),
    "pipeline_run": ("pipeline_run",),
    "class": ("class",),
    "date": ("date",),
}


@dataclass(frozen=True, slots=True)
class Filters:
    """Only what is of these; None means all. Raises ConfigError for an empty name."""

    cluster: str | None = None
    namespace: str | None = None
    team: str | None = None

    def __post_init__(self) -> None:
        for name, wanted in asdict(self).items():
            if wanted == "":  # a shell's variable that is not set: it must not become the cost of everything
                raise ConfigError(f"--{name} is empty", f"name one, or leave --{name} out")


def key_columns(
    by: Sequence[str], dimensions: Mapping[str, tuple[str, ...]], *, labels: bool = False
) -> list[str]:
    """The answer's key columns, in the order in which they were asked for; raises ConfigError for an unknown one."""
    names: dict[str, None] = {}
    for dimension in by:
        if labels and dimension.startswith(LABEL):
            names[dimension] = None
        elif dimension in dimensions:
            names |= dict.fromkeys(dimensions[dimension])
        else:
            close = get_close_matches(dimension, dimensions, 1)
            meant = f"; did you mean {close[0]!r}?" if close else ""
            known = [*dimensions, *(f"{LABEL}NAME" for _ in range(labels))]
            raise ConfigError(
                f"--by {dimension or repr('')}: no such dimension{meant}",
                f"one or more of {', '.join(known)}",
            )
    return list(names)


def keyed(key: pa.ChunkedArray, order: Sequence[str], names: Sequence[str]) -> dict[str, pa.Array]:
    """The key columns of an answer whose last row is the total, in the order of `names`.

    key: list(text), the values of a row in the order of `order`; of the total, null.
    """
    place = {name: i for i, name in enumerate(order)}
    totals = ["(total)", *[None] * (len(names) - 1)]
    return {
        name: pa.array([*pc.list_element(key[:-1], place[name]).to_pylist(), total], pa.string())
        for name, total in zip(names, totals, strict=True)
    }
