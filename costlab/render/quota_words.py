"""Quotas in words: what a key allows, why it should allow something else, and what the cluster has of it."""

import re
from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from typing import Any

from costlab.domain.quantity import Form, canonical
from costlab.domain.units import GIB
from costlab.render import advice_words, figures

Row = Mapping[str, Any]

REASONS: Mapping[str, str] = {
    "no_quota": "the namespace has no quota",
    "no_key": "no quota of the namespace has this key",
    "exhausted": "it was used up: what more was wanted is not seen",
    "runs_out": "more is expected within the horizon",
    "too_tight": "it leaves too little room",
    "over_large": "far more than is asked for",
    "unused": "nothing was asked for",
    "too_little_data": "too few days to cut it",
    "fits": "it fits",
}
_BYTES = re.compile(r"(memory|storage)$|hugepages-")
_NAMES = {"cpu": ("cores", "CPU"), "memory": ("GiB", "memory"), "gpu": ("GPUs", "GPUs")}


def quantity(amount: float, key: str) -> str:
    """An amount of a key as Kubernetes writes it, exactly."""
    return canonical(Fraction(amount), Form.BINARY if _BYTES.search(key) else Form.DECIMAL)


def amount(value: float | None, key: str) -> str:
    """The same for reading: bytes in GiB, three digits of what is no whole number; a dash without one."""
    if value is None or value != value:  # noqa: PLR0124 - NaN, which alone differs from itself
        return figures.NONE
    return f"{advice_words.size(value / GIB)}Gi" if _BYTES.search(key) else advice_words.size(value)


def runs_out(row: Row) -> str:
    """When the present limit is expected to be used up, and the earliest day on which it may be."""
    if row["reason"] == "exhausted":
        return "used up"
    expected, earliest = row["exhausted_on"], row["exhausted_earliest"]
    if expected is None:
        return figures.NONE if earliest is None else f"perhaps {_day(earliest)}"
    return _day(expected) + ("" if earliest in (None, expected) else f", perhaps {_day(earliest)}")


def comments(row: Row, *, after: bool) -> list[str]:
    """Lines for above a manifest: the change of a key, and what it rests on."""
    key = row["resource"]
    suggested = suggestion(row, after=after)
    change = f"{amount(row['hard_now'], key)} -> {amount(suggested, key)}"
    if row["hard_now"] is None:
        change = amount(suggested, key)
    elif row["hard_now"] == suggested:
        change = f"stays at {amount(suggested, key)}"
    expected = "expected " + amount(row["expected_peak"], key)
    if row["expected_peak"] is None:
        expected = "no forecast"
    out = "" if row["exhausted_earliest"] is None else f"; runs out: {runs_out(row)}"
    seen = f"used p99 {amount(row['used_p99'], key)}, peak {amount(row['used_peak'], key)}, {expected}"
    return [
        f"{key}: {change}: {REASONS.get(row['reason'], row['reason'])}",
        f"  {seen}; {figures.counted(row['evidence_days'], 'day')}{out}",
    ]


def suggestion(row: Row, *, after: bool) -> float:
    """What is suggested; `after`: for when the advised requests are made, where any are."""
    if after and row["suggested_after"] is not None and row["reason"] != "too_little_data":
        return float(row["suggested_after"])
    return float(row["suggested_hard"])


def total(row: Row) -> str:
    """What quotas allow together, of what nodes can give."""
    unit, name = _NAMES[row["resource"]]
    there = "what nodes can give is not known"
    if row["allocatable"] is not None and row["ratio_suggested"] is not None:
        there = (
            f"of {figures.quantity(row['allocatable'])} that nodes can give: {figures.share(row['ratio_now'])} now, "
            f"{figures.share(row['ratio_suggested'])} as suggested"
        )
    without = (
        f"; {figures.counted(row['unlimited'], 'namespace')} without a limit now" if row["unlimited"] else ""
    )
    return (
        f"{name}: quotas allow {figures.quantity(row['hard_now'])} {unit}, "
        f"{figures.quantity(row['suggested_hard'])} as suggested, {there}{without}"
    )


def _day(day: date) -> str:
    return day.isoformat()
