"""The table of quotas: which run out, which leave too little room, and which are far too large."""

from costlab.render import figures, quota_words
from costlab.render.cells import Row, bar, blank
from costlab.render.context import Cell, Column, Part, Section, Table
from costlab.render.names import named

SMALL_SHOWN = 6
LARGE_SHOWN = 4

_SMALL = ("exhausted", "runs_out", "too_tight")
_LARGE = ("over_large", "unused")
_RESOURCES = ("gpu", "cpu", "memory")


def sections(rows: list[Row], totals: list[Row]) -> tuple[Section, ...]:
    """One section; none on a day for which nothing is suggested. rows: of quota_headroom. totals: of quota_totals."""
    if not rows:
        return ()
    held = [row for row in rows if row["hard_now"] is not None]
    small = [row for row in held if row["reason"] in _SMALL]
    large = sorted((row for row in held if row["reason"] in _LARGE), key=_by_worth)
    shown = [*small[:SMALL_SHOWN], *large[:LARGE_SHOWN]]
    changed = len(small) + len(large)
    rest = (
        (changed - len(shown), "other to change", "others to change"),
        (len(held) - changed, "that fits", "that fit"),
        (
            len({row["namespace"] for row in rows if row["reason"] == "no_quota"}),
            "namespace without a quota",
            "namespaces without a quota",
        ),
    )
    table = Table(
        "Quotas to change",
        (
            Column("Quota"),
            Column("Limit", numeric=True),
            Column("In use", "99% of hours are below"),
            Column("Suggested", numeric=True),
            Column("After advice", "once it is followed", numeric=True, minor=True),
            Column("Runs out"),
        ),
        tuple(_line(row) for row in shown),
        tuple((Cell(figures.counted(count, one, many)), *blank(5)) for count, one, many in rest if count),
    )
    return (Section("quotas", "Quota headroom", _lead(totals), table, "No quota has to be changed."),)


def _line(row: Row) -> tuple[Cell, ...]:
    key = row["resource"]

    def amount(name: str) -> str:
        return quota_words.amount(row[name], key)

    in_use = bar(row["used_ratio"], Part.USED)
    return (
        Cell(named(row["namespace"]), named(key)),
        Cell(amount("hard_now")),
        Cell(amount("used_p99"), in_use.text, in_use.mark),
        Cell(
            amount("suggested_hard"), quota_words.REASONS.get(row["reason"], row["reason"]), minor_note=True
        ),
        Cell(amount("suggested_after")),
        Cell(quota_words.runs_out(row), tone="bad" if row["reason"] in ("exhausted", "runs_out") else ""),
    )


def _by_worth(row: Row) -> tuple[bool, float]:
    """Accelerators first, then what is used least."""
    return "/" not in row["resource"], row["used_ratio"] or 0.0


def _lead(totals: list[Row]) -> str:
    """What all quotas allow together, of what nodes can give: of the dearest resource that the cluster has."""
    by_resource = {row["resource"]: row for row in totals}
    dearest = next((by_resource[name] for name in _RESOURCES if name in by_resource), None)
    return f"{quota_words.total(dearest)}." if dearest else ""
