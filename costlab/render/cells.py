"""Cells that several of the report's tables have in common."""

from decimal import Decimal
from typing import Any

from costlab.render import figures
from costlab.render.context import Cell, Part, Split
from costlab.render.names import named

Row = dict[str, Any]

ZERO = Decimal(0)
RESOURCES = {"gpu": "GPU", "cpu": "CPU", "memory": "Memory"}
BESIDE = ("storage", "network", "fee")  # resources that no node has


def blank(count: int) -> tuple[Cell, ...]:
    """Cells with nothing in them."""
    return (Cell(""),) * count


def total_of(rows: list[Row], name: str) -> Decimal:
    """The sum of a money column, in which null counts as nothing."""
    return sum((row[name] or ZERO for row in rows), ZERO)


def parts_of(rows: list[Row]) -> tuple[Part, ...]:
    """The parts that a table or chart of these rows shows: what stands beside nodes only where there is some of it."""
    return tuple(part for part in Part if part is not Part.BESIDE or total_of(rows, "beside_cost"))


def nowhere(_: Row) -> str:
    """The address of a row that has no page of its own."""
    return ""


def workload(row: Row, address: str = "") -> Cell:
    """A workload's name over its kind, namespace and class; or the volumes that no pod of a namespace mounts."""
    if not row["workload"]:
        return Cell("Volumes without a pod", f"in {named(row['namespace'])}")
    kind, place, purpose = named(row["workload_kind"]), named(row["namespace"]), named(row["class"])
    return Cell(named(row["workload"]), f"{kind} in {place}, {purpose}", address=address)


def priced(text: str, row: Row) -> Cell:
    """A cost, with a note where a part of it has no price."""
    return Cell(text, "not all priced" if row["unpriced_charges"] else "")


def used(row: Row) -> Cell:
    """How much of what was observed was used, with a bar of used, unused and (hatched) unobserved cost."""
    total = row["total_cost"] or ZERO
    if row["used_ratio"] is None or not total:
        return Cell(figures.NONE, tone="quiet")
    parts = (Part.USED, Part.UNUSED, Part.UNOBSERVED)
    mark = Split(tuple((part, float(row[f"{part}_cost"] / total)) for part in parts))
    return Cell(figures.share(row["used_ratio"]), mark=mark)


def bar(ratio: float | None, part: Part) -> Cell:
    """A share with its bar; None and NaN are not observed."""
    text = figures.share(ratio)
    if ratio is None or text == figures.NONE:
        return Cell("not observed", tone="quiet")
    return Cell(text, mark=Split(((part, min(1.0, ratio)),)))
