"""Who owes what: the tables of teams, of workloads, and of what they paid for and did not use."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from costlab.render import figures
from costlab.render.cells import RESOURCES, ZERO, Row, bar, blank, nowhere, priced, total_of, used, workload
from costlab.render.context import Cell, Column, Part, Section, Spark, Table
from costlab.render.names import named
from costlab.render.wording import FLAT, DayCost

TEAMS_SHOWN = 15
WORKLOADS_SHOWN = 12
UNUSED_SHOWN = 8
SPARK_DAYS = 14

UNITS = {"gpu_hour": "GPU h", "core_hour": "core h", "gib_hour": "GiB h"}


@dataclass(frozen=True, slots=True)
class _Line:
    """What every row of the teams' table has: `usual` is None where there is no day to compare with."""

    cost: Decimal | None
    usual: Decimal | None
    unused: Decimal | None

    @property
    def change(self) -> Decimal | None:
        return None if self.cost is None or self.usual is None else self.cost - self.usual

    @property
    def tone(self) -> str:
        """A colour for changes that are none of everyday's; the sign says the same without it."""
        if self.change is None or abs(self.change) <= FLAT * (self.cost or ZERO):
            return ""
        return "bad" if self.change > 0 else "good"


def teams(
    answers: Mapping[str, list[Row]],
    day: DayCost,
    page_of: Callable[[Row], str] = nowhere,
    most: int = TEAMS_SHOWN,
) -> Section:
    """What each team cost against what is usual for it, and what belongs to no team, down to the day's total."""
    rows = answers["teams"]
    shown, hidden = rows[:most], rows[most:]
    beside = _beside(answers, hidden, day)
    lines = [_Line(row["total_cost"], row["usual_cost"], row["unused_cost"]) for row in shown]
    lines += [line for _, line in beside]
    cost, total = figures.column([line.cost for line in lines], total=day.total)
    change, all_change = figures.column([line.change for line in lines], signed=True, total=day.change)
    unused, all_unused = figures.column([line.unused for line in lines])
    changes = [Cell(text, tone=line.tone) for text, line in zip(change, lines, strict=True)]
    table = Table(
        "What each team cost",
        (
            Column("Team"),
            Column("Cost", day.currency, numeric=True),
            Column("Change", day.currency, numeric=True),
            Column(f"{SPARK_DAYS} days", minor=True),
            Column("Used", "of what was observed"),
            Column("Not used", day.currency, numeric=True),
            Column("GPU hours", numeric=True, minor=True),
        ),
        tuple(
            (
                Cell(named(row["team"]), figures.counted(row["workloads"], "workload"), address=page_of(row)),
                priced(cost[i], row),
                changes[i],
                Cell("", mark=_spark(answers, row["team"], day)),
                used(row),
                Cell(unused[i]),
                Cell(figures.quantity(row["gpu_hours"])),
            )
            for i, row in enumerate(shown)
        ),
        tuple(
            (name, Cell(cost[i]), changes[i], *blank(2), Cell(unused[i].strip(figures.NONE)), Cell(""))
            for i, (name, _) in enumerate(beside, len(shown))
        ),
        (
            Cell("Total"),
            Cell(figures.NONE if day.total is None else total),
            Cell(figures.NONE if day.change is None else all_change),
            *blank(2),
            Cell(all_unused),
            Cell(figures.quantity(sum(row["gpu_hours"] for row in rows))),
        ),
    )
    lead = (
        ""
        if day.usual is None
        else "The change is against the mean of the same weekdays of the last four weeks."
    )
    return Section("teams", "Teams", lead, table, "No workload ran on this day.")


def workloads(
    rows: list[Row], currency: str, page_of: Callable[[Row], str] = nowhere, most: int = WORKLOADS_SHOWN
) -> Section:
    """The most expensive workloads."""
    shown, hidden = rows[:most], rows[most:]
    cost, total = figures.column([row["total_cost"] for row in shown] + [total_of(hidden, "total_cost")])
    unused, all_unused = figures.column(
        [row["unused_cost"] for row in shown] + [total_of(hidden, "unused_cost")]
    )
    table = Table(
        "The most expensive workloads",
        (
            Column("Workload"),
            Column("Team", minor=True),
            Column("Cost", currency, numeric=True),
            Column("Used", "of what was observed"),
            Column("Not used", currency, numeric=True),
            Column("GPU hours", numeric=True, minor=True),
        ),
        tuple(
            (
                workload(row, page_of(row)),
                Cell(named(row["team"])),
                priced(cost[i], row),
                used(row),
                Cell(unused[i]),
                Cell(figures.quantity(row["gpu_hours"])),
            )
            for i, row in enumerate(shown)
        ),
        _all(figures.counted(len(hidden), "other workload"), cost[-1], unused[-1], hidden) if hidden else (),
        *_all("All workloads", total, all_unused, rows),
    )
    return Section("workloads", "Most expensive workloads", "", table, "No workload ran on this day.")


def unused(rows: list[Row], currency: str) -> Section:
    """What was reserved and not used, by workload and resource."""
    shown, hidden = rows[:UNUSED_SHOWN], rows[UNUSED_SHOWN:]
    cost, total = figures.column([row["unused_cost"] for row in shown] + [total_of(hidden, "unused_cost")])
    table = Table(
        "Reserved and not used, by workload and resource",
        (
            Column("Workload"),
            Column("Team", minor=True),
            Column("Resource"),
            Column("Reserved", numeric=True, minor=True),
            Column("Used", "of what was observed"),
            Column("Not used", currency, numeric=True),
        ),
        tuple(
            (
                workload(row),
                Cell(named(row["team"])),
                Cell(RESOURCES.get(row["resource"], str(row["resource"]))),
                Cell(f"{figures.quantity(row['requested_quantity'])} {UNITS.get(row['unit'], row['unit'])}"),
                bar(row["used_ratio"], Part.USED),
                Cell(cost[i]),
            )
            for i, row in enumerate(shown)
        ),
        ((Cell(figures.counted(len(hidden), "other")), *blank(4), Cell(cost[-1])),) if hidden else (),
        (Cell("All"), *blank(4), Cell(total)),
    )
    lead = "Money for what was requested, was observed, and stood still."
    return Section("unused", "Paid for and not used", lead, table, "Nothing that was reserved stood unused.")


def _beside(answers: Mapping[str, list[Row]], hidden: list[Row], day: DayCost) -> list[tuple[Cell, _Line]]:
    """The lines below the teams that are shown: the other teams together, idle capacity, the system, fees."""
    beside = []
    if hidden:
        usual = None if day.usual is None else total_of(hidden, "usual_cost")
        line = _Line(total_of(hidden, "total_cost"), usual, total_of(hidden, "unused_cost"))
        beside.append((Cell(figures.counted(len(hidden), "other team")), line))
    for kind, name, of_nodes in (
        ("idle", Cell("Idle capacity", "given to no pod"), True),
        ("system", Cell("System", "not for pods"), True),
        ("fee", Cell("Fees", "whatever runs"), False),
    ):
        before = total_of([row for row in answers["cost_changes"] if row["kind"] == kind], "usual_cost")
        cost = answers["headline"][0][f"{kind}_cost"] if day.capacity_known or not of_nodes else None
        if not of_nodes and not cost and not before:
            continue
        beside.append((name, _Line(cost, None if day.usual is None else before, None)))
    return beside


def _all(name: str, cost: str, unused_cost: str, rows: list[Row]) -> tuple[tuple[Cell, ...], ...]:
    hours = figures.quantity(sum(row["gpu_hours"] for row in rows))
    return ((Cell(name), Cell(""), Cell(cost), Cell(""), Cell(unused_cost), Cell(hours)),)


def _spark(answers: Mapping[str, list[Row]], team: str, day: DayCost) -> Spark:
    """The team's last days: 0 on a day that is there without it, None on a day that is not."""
    held = {row["date"] for row in answers["daily_costs"] if row["status"] != "missing"}
    costs = {row["date"]: row["total_cost"] for row in answers["team_days"] if row["team"] == team}
    days = [day.when - timedelta(days=ago) for ago in reversed(range(SPARK_DAYS))]
    return Spark(
        tuple(float(costs.get(each) or 0) if each in held else None for each in days),
        f"cost of {named(team)} over {SPARK_DAYS} days",
    )
