"""The data-quality strip: what is not clean, said above the figures."""

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal

from costlab.domain.findings import Severity
from costlab.domain.signals import Signal
from costlab.render import figures, trends, wording
from costlab.render.cells import Row
from costlab.render.context import Notice
from costlab.render.evidence import RECONCILIATION
from costlab.render.names import visible

# A bill with more than this share unowned or unobserved is worth a line above the figures.
NOTABLE = Decimal("0.02")

# Warnings after which the total itself may be another, or rests on a guess; errors are said whatever their rule.
TELLING = {
    "gpu_sharing_guessed",
    "capacity_unknown",
    "inventory_begins_late",
    "inventory_ends_early",
    "outside_node_life",
}
_LEVELS = tuple(severity.value for severity in (Severity.ERROR, Severity.WARNING, Severity.INFO))

# The strip says these in its own words.
_SAID = {"price_unknown"}


def notices(answers: Mapping[str, list[Row]], currency: str) -> tuple[Notice, ...]:
    """A line for each thing that a reader of the figures must know, the gravest first."""
    said = [
        *_sums(answers, currency),
        *_findings(answers["day_findings"], known=capacity_known(answers)),
        *_gaps(answers["daily_costs"]),
        *_run(answers["day_run"][0]),
    ]
    return tuple(sorted(said, key=lambda notice: _LEVELS.index(notice.level)))


def capacity_known(answers: Mapping[str, list[Row]]) -> bool:
    """Whether the nodes told what they have."""
    missing = ("signal_missing", Signal.NODE_CAPACITY.value)
    return all((row["rule"], row["subject"]) != missing for row in answers["day_findings"])


def _sums(answers: Mapping[str, list[Row]], currency: str) -> Iterator[Notice]:
    row = answers["headline"][0]
    total = row["total_cost"] or Decimal(0)
    if any(r["difference"] for r in answers["reconciliation"]):
        where = f"see \N{LEFT DOUBLE QUOTATION MARK}{RECONCILIATION}\N{RIGHT DOUBLE QUOTATION MARK}"
        yield Notice("error", f"The charges do not add up to the price of the nodes: {where}")
    if row["status"] != "complete":
        share = figures.share(row["coverage"])
        yield Notice("error", f"Incomplete day: usage was observed for {share} of the time.")
    if row["unpriced_nodes"]:
        nodes = figures.counted(row["unpriced_nodes"], "node")
        yield Notice("warning", f"No price is known for a resource of {nodes}; it is not in the total.")
    if total and row["unobserved_cost"] > NOTABLE * total:
        amount = figures.money(row["unobserved_cost"], currency)
        yield Notice(
            "warning", f"{amount} could not be split into used and not used: usage was not observed."
        )
    unowned = sum(
        (r["total_cost"] or Decimal(0) for r in answers["teams"] if r["team"] == wording.UNALLOCATED),
        Decimal(0),
    )
    if total and unowned > NOTABLE * total:
        yield Notice("info", f"{figures.money(unowned, currency)} of workloads belongs to no team.")


def _findings(rows: list[Row], *, known: bool) -> Iterator[Notice]:
    """The first finding of each rule, in their order, and how many there are of it."""
    rules: dict[str, list[Row]] = {}
    for row in rows:
        if row["severity"] == Severity.ERROR or row["rule"] in TELLING:
            rules.setdefault(row["rule"], []).append(row)
    said = _SAID if known else {*_SAID, "capacity_unknown"}  # of every node, as that of none is
    for rule, found in rules.items():
        if rule in said:
            continue
        # Whole signals are few, and each is its own loss; of nodes and devices there may be hundreds.
        shown = found if rule == "signal_missing" else found[:1]
        for row in shown:
            more = f" ({len(found) - len(shown)} more: see Findings)" if len(found) > len(shown) else ""
            yield Notice(row["severity"], f"{visible(row['subject'])}: {visible(row['message'])}{more}")


def _gaps(days: list[Row]) -> Iterator[Notice]:
    missing: list[date] = [row["date"] for row in trends.since_the_first(days) if row["status"] == "missing"]
    if missing:
        named = ", ".join(map(figures.short_date, missing[:5])) + (" and more" if len(missing) > 5 else "")
        verb = "is" if len(missing) == 1 else "are"
        yield Notice(
            "info", f"{figures.counted(len(missing), 'day')} of the last {len(days)} {verb} missing: {named}."
        )


def _run(run: Row) -> Iterator[Notice]:
    if run["forced"]:
        yield Notice("warning", f"The day was replaced by force: {visible(run['forced'])}")
    yield from (Notice("warning", visible(text)) for text in _together(run["warnings"] or []))


def _together(warnings: list[str]) -> list[str]:
    """What is warned of several metrics in the same words is said once."""
    subjects: dict[str, list[str]] = {}
    for warning in warnings:
        subject, colon, what = warning.partition(": ")
        subjects.setdefault(colon + what if colon else warning, []).append(subject)
    return [f"{', '.join(of)}{what}" if what.startswith(": ") else what for what, of in subjects.items()]
