"""The changes worth making: their table, and the tile that sums them up."""

from costlab.domain.units import format_bytes, format_cores
from costlab.render import advice_words, figures
from costlab.render.cells import RESOURCES, ZERO, Row, blank, total_of
from costlab.render.context import Cell, Column, Part, Section, Split, Table, Tile
from costlab.render.names import named

CUTS_SHOWN = 8
RAISES_SHOWN = 4


def section(rows: list[Row], refused: list[Row], currency: str) -> Section:
    """What is advised, cuts that save most and raises that cost most, with money, risk and evidence."""
    cuts, raises, unpriced = _parted(rows)
    shown = [*cuts[:CUTS_SHOWN], *unpriced[:CUTS_SHOWN], *raises[:RAISES_SHOWN]]
    hidden = [
        (name, rest)
        for name, rest in (
            ("other cut", cuts[CUTS_SHOWN:]),
            ("other change without a price", unpriced[CUTS_SHOWN:]),
            ("other raise", raises[RAISES_SHOWN:]),
        )
        if rest
    ]
    money = {}
    for which in ("monthly_saving_gross", "monthly_saving_net"):
        amounts = [row[which] for row in shown] + [total_of(rest, which) for _, rest in hidden]
        money[which] = figures.column(amounts, signed=True)
    (gross, all_gross), (net, all_net) = money["monthly_saving_gross"], money["monthly_saving_net"]
    table = Table(
        "Changes worth making",
        (
            Column("Workload"),
            Column("Team", minor=True),
            Column("Change"),
            Column("Risk", "of a day above it"),
            Column("Evidence", minor=True),
            Column("Saves", f"{currency} a month", numeric=True),
            Column("Net", "by whole nodes", numeric=True, minor=True),
        ),
        tuple(
            (
                _name(row),
                Cell(named(row["team"])),
                _change(row),
                _risk(row),
                _evidence(row),
                Cell(gross[i], tone=_tone(row)),
                Cell(net[i]),
            )
            for i, row in enumerate(shown)
        ),
        tuple(
            (Cell(figures.counted(len(rest), name)), *blank(4), Cell(gross[i]), Cell(net[i]))
            for i, (name, rest) in enumerate(hidden, len(shown))
        ),
        (Cell("All"), *blank(4), Cell(all_gross), Cell(all_net)) if rows else (),
    )
    lead = (
        "At each workload's own prices. Net is what nodes give back that would then not be needed, "
        "and raises count in full."
    )
    return Section(
        "changes", "Changes worth making", f"{lead}{_without_advice(refused)}", table, _nothing(refused)
    )


def schedules(rows: list[Row], currency: str) -> tuple[Section, ...]:
    """When workloads could be scaled down, those that save most; no section where there are none."""
    if not rows:
        return ()
    shown, rest = rows[:CUTS_SHOWN], rows[CUTS_SHOWN:]
    saves, _ = figures.column(
        [*(row["monthly_saving"] for row in shown), *([total_of(rest, "monthly_saving")] if rest else [])]
    )
    table = Table(
        "When nobody works",
        (
            Column("Workload"),
            Column("Team", minor=True),
            Column("Scale down"),
            Column("Evidence", minor=True),
            Column("Saves", f"{currency} a month", numeric=True),
        ),
        tuple(
            (
                _name(row | {"container": ""}),
                Cell(named(row["team"])),
                Cell(
                    named(row["down"]), f"{row['weekly_hours_down']} of 168 hours, {named(row['timezone'])}"
                ),
                _evidence(row),
                Cell(saves[i]),
            )
            for i, row in enumerate(shown)
        ),
        ((Cell(figures.counted(len(rest), "other workload")), *blank(3), Cell(saves[-1])),) if rest else (),
    )
    lead = (
        "In these hours they did next to nothing on any day of two weeks or more. Smaller requests save some of the "
        "same money, so it is not among the savings above."
    )
    return (Section("schedules", "When nobody works", lead, table),)


def tile(rows: list[Row], currency: str) -> Tile:
    """What the cuts save in a month, against what the raises cost."""
    cuts, raises, _ = _parted(rows)
    saved, net, spent = (
        total_of(cuts, "monthly_saving_gross"),
        total_of(cuts, "monthly_saving_net"),
        -total_of(raises, "monthly_saving_gross"),
    )
    note = "no cut is advised"
    if cuts:
        note = f"a month by {figures.counted(len(cuts), 'cut')}, {figures.money(net, currency)} of it by whole nodes"
    if raises:
        note += (
            f"; {figures.counted(len(raises), 'raise costs', 'raises cost')} {figures.money(spent, currency)}"
        )
    mark = Split(((Part.USED, float(net / saved)), (Part.UNUSED, float(1 - net / saved)))) if saved else None
    return Tile("Savings to act on", figures.money(saved, currency), note, mark)


def _parted(rows: list[Row]) -> tuple[list[Row], list[Row], list[Row]]:
    """Cuts, the largest first; raises, the dearest first; and what has no price."""
    priced = [row for row in rows if row["monthly_saving_gross"] is not None]
    cuts = [row for row in priced if row["monthly_saving_gross"] >= 0]
    raises = [row for row in reversed(priced) if row["monthly_saving_gross"] < 0]
    return cuts, raises, [row for row in rows if row["monthly_saving_gross"] is None]


def _name(row: Row) -> Cell:
    kind, place = named(row["workload_kind"]), named(row["namespace"])
    container = (
        "" if row["container"] == row["workload"] or not row["container"] else f", {named(row['container'])}"
    )
    return Cell(named(row["workload"]), f"{kind} in {place}{container}")


def _change(row: Row) -> Cell:
    """32Gi → 11469Mi, over the resource and what becomes of the limit."""
    resource = RESOURCES.get(row["resource"], str(row["resource"]))
    action = advice_words.brief_action(row)
    if row["proposed_request"] is None:
        return Cell(resource, action)
    before = "none" if row["current_request"] is None else _quantity(row["current_request"], row["resource"])
    after = _quantity(row["proposed_request"], row["resource"])
    if row["mig_profile"]:
        after = f"{after} × {named(row['mig_profile'])}"
    return Cell(f"{before} → {after}", ", ".join(filter(None, (resource, action or _limit(row)))))


def _limit(row: Row) -> str:
    if row["proposed_limit"] is None:
        return "without its limit" if row["current_limit"] is not None else ""
    if row["proposed_limit"] == row["current_limit"]:
        return "limit stays"
    return f"limit {_quantity(row['proposed_limit'], row['resource'])}"


def _risk(row: Row) -> Cell:
    if row["promised_rate"] is None:
        return Cell("not told", tone="quiet")
    before = row["violation_rate"]
    note = f"{figures.share(before)} of past days" if before is not None else ""
    return Cell(figures.share(row["promised_rate"]), note, minor_note=True)


def _evidence(row: Row) -> Cell:
    return Cell(figures.counted(row["evidence_days"], "day"), f"{figures.share(row['coverage'])} observed")


def _tone(row: Row) -> str:
    saving = row["monthly_saving_gross"] or ZERO
    return "good" if saving > 0 else "bad" if saving < 0 else ""


def _without_advice(refused: list[Row]) -> str:
    if not refused:
        return ""
    told = ", ".join(f"{advice_words.brief_reason(row)} ({row['times']:,})" for row in refused[:4])
    times = sum(row["times"] for row in refused)
    return f" Nothing is advised in {figures.counted(times, 'case')}: {told}."


def _nothing(refused: list[Row]) -> str:
    if not refused:
        return "No advice was made of this day: costlab recommend makes it."
    return "Nothing is worth changing, as far as can be told."


def _quantity(value: float, resource: str) -> str:
    """As Kubernetes writes it."""
    if resource == "cpu":
        return format_cores(value)
    return format_bytes(value) if resource == "memory" else f"{value:g}"
