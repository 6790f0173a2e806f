"""A team's showback statement of a window: its charges, its part of what is shared, and the sum that `cost` tells."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from costlab.config.settings import Settings
from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError, ReconcileError
from costlab.domain.sharing import ShareIdle
from costlab.jobs.asked import Filters, unmatched
from costlab.jobs.consumption import energy_used
from costlab.jobs.cost import Quality, cost_table, currency_of, quality
from costlab.render.envelope import envelope, json_bytes
from costlab.render.owed import Bill, Period
from costlab.render.statement import Page, statement
from costlab.store.warehouse import Warehouse

Row = dict[str, Any]

_ZERO = Decimal(0)
_WORKLOAD = ("namespace", "workload_kind", "workload")


@dataclass(frozen=True, slots=True)
class Asked:
    """What statements are of: a window, how idle capacity is shared, one cluster or (None) all of them."""

    window: Dates
    share_idle: ShareIdle = ShareIdle.NONE
    cluster: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A statement as a page, and as JSON says it."""

    team: str
    page: Page
    json: bytes


def teams_of(warehouse: Warehouse, asked: Asked) -> list[str]:
    """The teams that the window has charges of; raises ConfigError where there is none."""
    rows, _ = _costs(warehouse, ["team"], asked.window, Filters(asked.cluster))
    found = sorted(
        row["team"] for row in rows if row["team"] not in ("(idle)", "(system)", "(fee)", "(none)")
    )
    if not found:
        raise ConfigError(
            f"no charge from {asked.window.start} until {asked.window.end} is of a team",
            "name another --window; `costlab cost --by date` lists the days",
        )
    return found


def statement_of(warehouse: Warehouse, settings: Settings, team: str, asked: Asked, today: date) -> Told:
    """The team's statement.

    Its sum is what `costlab cost --team` gives for the same window and the same sharing, to the micro-unit.

    Raises ConfigError where no charge of the window is of the team, and for several currencies.
    """
    filters = Filters(asked.cluster, None, team)
    if said := unmatched(warehouse, filters, asked.window):
        raise ConfigError(said[0], "`costlab cost --by team` lists the teams of a window")
    currency = currency_of(warehouse, asked.window, filters) or settings.prices.currency
    now = _period(warehouse, settings, asked.window, filters, asked.share_idle, today)
    before = _period(warehouse, settings, asked.window.before, filters, asked.share_idle, today)
    if currency_of(warehouse, asked.window.before, filters) not in (None, currency):
        before = Period(
            before.window, Quality(0, before.quality.days, None), Bill(_ZERO, _ZERO, _ZERO), [], [], []
        )
    energy = energy_used(warehouse, settings, ["team"], asked.window, filters).to_pylist()[-1]
    answers: Mapping[str, Any] = {
        "resources": _beside(now.resources, before.resources, ("resource",)),
        "workloads": _beside(now.workloads, before.workloads, _WORKLOAD),
        "volumes": now.volumes,
        "energy": energy if energy["energy_kwh"] is not None else None,
        "idle": _idle(warehouse, asked) if asked.share_idle is ShareIdle.NONE else None,
        "budget": _budget(settings, team, asked),
    }  # fmt: skip
    page = statement(team, asked.cluster, currency, now, before, answers, settings.billing, asked.share_idle)
    return Told(team, page, json_bytes(_envelope(team, asked, currency, now, before, answers)))


def _period(
    warehouse: Warehouse, settings: Settings, window: Dates, filters: Filters, idle: ShareIdle, today: date
) -> Period:
    """What the team owes for a window. Its part of what is shared is a team's: as if asked by team, and in no finer."""
    resources, own = _costs(warehouse, ["resource"], window, filters)
    workloads, _ = _costs(warehouse, ["workload"], window, filters)
    volumes, _ = _costs(warehouse, ["kind", "namespace", "item"], window, filters)
    table = cost_table(warehouse, ["team"], window, filters, idle=idle, share=settings.billing.share)
    owed = table.to_pylist()[-1]
    bill = Bill(own["cost"] or _ZERO, owed.get("cost_idle") or _ZERO, owed.get("cost_shared") or _ZERO)
    if bill.total != (owed["cost"] or _ZERO):
        raise ReconcileError(
            f"the statement of {filters.team} adds up to {bill.total}, and its cost is {owed['cost']}",
            "report it: this is a fault of costlab",
        )
    seen = quality(warehouse, window, filters.cluster, today)
    return Period(
        window, seen, bill, resources, workloads, [row for row in volumes if row["kind"] == "volume"], owed
    )


def _costs(warehouse: Warehouse, by: list[str], window: Dates, filters: Filters) -> tuple[list[Row], Row]:
    """Rows of what was charged, nothing shared, and their total."""
    *rows, total = cost_table(warehouse, by, window, filters).to_pylist()
    return rows, total


def _beside(now: list[Row], before: list[Row], key: tuple[str, ...]) -> list[Row]:
    """Rows with what they cost before, dearest first; what is gone is there with nothing."""

    def key_of(row: Row) -> tuple[str, ...]:
        return tuple(row[name] for name in key)

    old, new = ({key_of(row): row for row in rows} for rows in (before, now))
    gone = [
        {
            **dict.fromkeys(row),
            **dict(zip(key, key_of(row), strict=True)),
            "cost": _ZERO,
            "unpriced_charges": 0,
        }
        for row in before
        if key_of(row) not in new
    ]
    found = [{**row, "cost_before": old.get(key_of(row), {}).get("cost") or _ZERO} for row in [*now, *gone]]
    return sorted(found, key=lambda row: (-(row["cost"] or _ZERO), -row["cost_before"], key_of(row)))


def _idle(warehouse: Warehouse, asked: Asked) -> Decimal:
    """What idle and system capacity cost, which is nobody's where it is not shared."""
    rows, _ = _costs(warehouse, ["kind"], asked.window, Filters(asked.cluster))
    return sum((row["cost"] or _ZERO for row in rows if row["kind"] in ("idle", "system")), _ZERO)


def _budget(settings: Settings, team: str, asked: Asked) -> float | None:
    """The team's budget of the month; a team's is over all clusters, and of calendar months alone."""
    whole = asked.cluster is None and len(asked.window) > 27 and asked.window.name is not None
    return next((each.monthly for each in settings.budgets if whole and each.team == team), None)


def _envelope(
    team: str, asked: Asked, currency: str, now: Period, before: Period, answers: Mapping[str, Any]
) -> Row:
    told = (now.quality.complete_days, now.quality.days, now.quality.coverage)
    return envelope(
        "costlab.statement/1",
        asked.window,
        currency,
        told,
        team=team,
        cluster=asked.cluster,
        share_idle=asked.share_idle.value,
        bill=now.bill.parts,
        before={
            "window": {"start": before.window.start.isoformat(), "end": before.window.end.isoformat()},
            "complete_days": before.quality.complete_days,
            "days": before.quality.days,
            "bill": before.bill.parts if before.known else None,
        },
        rows=answers["workloads"],
        **{name: answers[name] for name in ("resources", "volumes", "energy", "budget")},
    )
