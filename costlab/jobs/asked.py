"""What a question asks by, and of whom."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches

import pyarrow as pa
import pyarrow.compute as pc

from costlab.config.faults import meant
from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError
from costlab.store.warehouse import Warehouse

LABEL = "label:"

# What is asked by, and the columns that tell it apart: two namespaces may each have a workload `api`, two clusters a
# node `gpu-1`. A namespace or workload of one name in several clusters is one row, as their owners see it.
OF_PODS = {
    "cluster": ("cluster",),
    "team": ("team",),
    "namespace": ("namespace",),
    "workload": ("namespace", "workload_kind", "workload"),
    "pod": ("cluster", "namespace", "pod"),
    "node": ("cluster", "node"),
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


def refuse_unknown(cluster: str, known: Collection[str]) -> None:
    """Raise ConfigError for a cluster that is not known: its answer would be empty, as if it had cost nothing."""
    if cluster not in known:
        raise ConfigError(
            f"there is no cluster {cluster!r}{meant(cluster, known)}",
            f"known: {', '.join(sorted(known))}" if known else "the lake holds none yet: costlab nightly",
        )


def unmatched(warehouse: Warehouse, filters: Filters, window: Dates | None = None) -> list[str]:
    """What the filters name that no charge of the window (or of the lake) is of, in words, with the nearest name.

    Nothing where there is no charge at all.
    """
    text = """
        select distinct namespace, team
        from charges
        where ($start is null or date >= $start)
            and ($until is null or date < $until)
            and ($cluster is null or cluster = $cluster)
    """
    start, until = (window.start, window.end) if window else (None, None)
    rows = warehouse.sql(text, {"start": start, "until": until, "cluster": filters.cluster}).to_pylist()
    where = "of the window " if window else ""
    asked = {name: wanted for name in ("namespace", "team") if (wanted := getattr(filters, name)) is not None}
    said = []
    for name, wanted in asked.items():
        known = {row[name] for row in rows} - {None}
        if rows and wanted not in known:
            near = meant(wanted, known) or f"; `costlab cost --by {name}` lists them"
            said.append(f"no charge {where}is of {name} {wanted!r}{near}")
    if rows and not said and not any(asked.items() <= row.items() for row in rows):
        said.append(f"no charge {where}is of {' and '.join(f'{n} {w!r}' for n, w in asked.items())} at once")
    return said


def key_columns(
    by: Sequence[str], dimensions: Mapping[str, tuple[str, ...]], *, labels: bool = False
) -> list[str]:
    """The answer's key columns, in the order in which they were asked for; raises ConfigError for an unknown one."""
    names: dict[str, None] = {}
    for dimension in by:
        if labels and dimension.startswith(LABEL) and dimension != LABEL:
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
