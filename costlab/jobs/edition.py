"""One edition: what a week or month of a cluster cost, beside the one before, as a page and as JSON."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from costlab.config.settings import Settings
from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError
from costlab.domain.units import money
from costlab.jobs.asked import Filters
from costlab.jobs.cost import cost_table, currency_of
from costlab.jobs.periods import BY, by_kind, by_team, by_workload, contributions
from costlab.render import edition_quality
from costlab.render.edition import Told, edition_page
from costlab.render.edition_words import Compared, PeriodCost
from costlab.render.envelope import envelope, json_bytes
from costlab.render.html import page_html
from costlab.store.warehouse import Warehouse

Row = dict[str, Any]

_ZERO = Decimal(0)
# Asked of each day that is held: what adds up over them.
_DAILY = ("gpu_models", "idle_gpus", "reconciliation")


@dataclass(frozen=True, slots=True)
class _Period:
    """A period's charges by `BY`, its days, and what they come to."""

    rows: list[Row]
    cost: PeriodCost
    unpriced_charges: int


def render_edition(warehouse: Warehouse, settings: Settings, cluster: str, window: Dates) -> dict[str, bytes]:
    """The edition's HTML and JSON, by suffix. Raises ConfigError without a day, and for several currencies in the period."""
    told = gather(warehouse, settings, cluster, window)
    return {
        "html": page_html(edition_page(told), scripted=False),
        "json": json_bytes(_envelope(told, made_of(warehouse, cluster, window))),
    }


def gather(warehouse: Warehouse, settings: Settings, cluster: str, window: Dates) -> Told:
    """All that the edition is made of. Raises ConfigError when no day of it is in the lake, and for several currencies."""
    before = window.before
    last_day, count = window.end - timedelta(days=1), len(before) + len(window)
    days = warehouse.query("daily_costs", cluster=cluster, day=str(last_day), days=count).to_pylist()
    held = [row["date"] for row in days if row["date"] >= window.start and row["status"] != "missing"]
    if not held:
        raise ConfigError(
            f"no day of {window.name} of cluster {cluster} is in the lake",
            "costlab cost --by date lists the days; costlab nightly --since DATE measures those that are missing",
        )
    compared, now, old = _compared(warehouse, settings, cluster, window, days)
    [last, *_] = held[::-1]
    answers = {
        "teams": by_team(now, old),
        "kinds": by_kind(now, old),
        "workloads": by_workload(now, old),
        **{
            name: warehouse.query(name, cluster=cluster, day=str(last)).to_pylist()
            for name in ("savings", "advice_refused")
        },
        "advice_taken": warehouse.query(
            "advice_taken", cluster=cluster, start=window.start, until=window.end
        ).to_pylist(),
        **_over(warehouse, cluster, held),
        "budgets": _budgets(warehouse, settings, cluster, window),
    }
    return Told(compared, days, contributions(now, old, compared.parts), answers, last)


def made_of(warehouse: Warehouse, cluster: str, window: Dates) -> dict[str, str]:
    """What of the lake an edition rests on: of each day of both periods that is held, a hash of its state and its content."""
    text = """
        select date, status, content
        from runs
        where cluster = $cluster and date >= $start and date < $until
        order by date
    """
    asked = {"cluster": cluster, "start": window.before.start, "until": window.end}
    rows = warehouse.sql(text, asked).to_pylist()
    return {
        str(row["date"]): hashlib.sha256(
            repr((row["status"], sorted(dict(row["content"] or ()).items()))).encode()
        ).hexdigest()[:16]
        for row in rows
    }


def _compared(
    warehouse: Warehouse, settings: Settings, cluster: str, window: Dates, days: list[Row]
) -> tuple[Compared, list[Row], list[Row]]:
    """The two periods in figures, and the rows of each; none of the period before where it is in another currency."""
    filters = Filters(cluster)
    now = _period(warehouse, cluster, window, days)
    currency = currency_of(warehouse, window, filters) or settings.prices.currency
    other = sorted(_currencies(warehouse, cluster, window.before) - {currency})
    before = _period(warehouse, cluster, window.before, days, readable=not other)
    text = "select min(date) as first_date from runs where cluster = $cluster"
    [first] = warehouse.sql(text, {"cluster": cluster}).to_pylist()
    compared = Compared(
        cluster,
        currency,
        now.cost,
        before.cost,
        first["first_date"],
        other[0] if other else "",
        now.unpriced_charges,
    )
    return compared, now.rows, before.rows


def _period(
    warehouse: Warehouse, cluster: str, window: Dates, days: list[Row], *, readable: bool = True
) -> _Period:
    own = [row for row in days if window.start <= row["date"] < window.end]
    states = {
        state: tuple(row["date"] for row in own if row["status"] == state)
        for state in ("missing", "incomplete")
    }
    cost = PeriodCost(
        window, None, states["missing"], states["incomplete"], _without_capacity(warehouse, cluster, window)
    )
    if not readable or not cost.days:
        return _Period([], cost, 0)
    *rows, total = cost_table(warehouse, BY, window, Filters(cluster)).to_pylist()
    unpriced = total["unpriced_charges"]
    amount = total["cost"] if total["cost"] is not None or unpriced else _ZERO
    whole = PeriodCost(window, amount, cost.missing, cost.incomplete, cost.open)
    return _Period(rows, whole, unpriced)


def _currencies(warehouse: Warehouse, cluster: str, window: Dates) -> set[str]:
    text = """
        select distinct currency
        from charges
        where cluster = $cluster and date >= $start and date < $until and currency is not null
    """
    asked = {"cluster": cluster, "start": window.start, "until": window.end}
    return set(warehouse.sql(text, asked)["currency"].to_pylist())


def _without_capacity(warehouse: Warehouse, cluster: str, window: Dates) -> tuple[date, ...]:
    """The days on which no node told what it has."""
    text = """
        select distinct date
        from findings
        where cluster = $cluster and date >= $start and date < $until
            and rule = 'signal_missing' and subject = 'node_capacity'
        order by date
    """
    asked = {"cluster": cluster, "start": window.start, "until": window.end}
    return tuple(warehouse.sql(text, asked)["date"].to_pylist())


def _over(warehouse: Warehouse, cluster: str, held: Iterable[date]) -> dict[str, list[Row]]:
    """What the daily reports of these days say of GPUs and of the bill, added up: the same queries, day by day."""
    daily: dict[str, list[list[Row]]] = {name: [] for name in _DAILY}
    for day in held:
        for name, answers in daily.items():
            answers.append(warehouse.query(name, cluster=cluster, day=str(day)).to_pylist())
    return {
        "gpu_models": [row for rows in daily["gpu_models"] for row in rows],
        "idle_gpus": _idle([row for rows in daily["idle_gpus"] for row in rows]),
        "reconciliation": _added([row for rows in daily["reconciliation"] for row in rows]),
    }


def _idle(rows: list[Row]) -> list[Row]:
    """Each GPU once: on how many days it was idle, how busy it was on them, and what that cost; most days first."""
    devices: dict[Any, list[Row]] = {}
    for row in rows:
        devices.setdefault(row["gpu_key"], []).append(row)
    found = []
    for of_gpu in devices.values():
        observed = sum(row["observed_hours"] for row in of_gpu)
        busy = sum(row["observed_hours"] * row["busy_mean"] for row in of_gpu)
        costs = [row["not_busy_cost"] for row in of_gpu if row["not_busy_cost"] is not None]
        latest = {name: of_gpu[-1][name] for name in ("node", "gpu_index", "uuid", "model", "mig_profile")}
        found.append(
            {
                **latest,
                "idle_days": len(of_gpu),
                "observed_hours": round(observed, 6),
                "allocated_hours": round(sum(row["allocated_hours"] for row in of_gpu), 6),
                "busy_mean": round(busy / observed, 9),
                "not_busy_cost": sum(costs, _ZERO) if costs else None,
            }
        )
    return sorted(
        found,
        key=lambda row: (-row["idle_days"], -(row["not_busy_cost"] or _ZERO), row["node"], row["uuid"] or ""),
    )


def _added(rows: list[Row]) -> list[Row]:
    """The reconciliations of several days as one: money of the same resource added up."""
    resources = list(dict.fromkeys(row["resource"] for row in rows))
    names = [name for name in (rows[0] if rows else {}) if name not in ("resource", "currency")]
    return [
        {
            "resource": resource,
            "currency": max(
                (row["currency"] or "" for row in rows if row["resource"] == resource), default=""
            ),
            **{
                name: sum((row[name] for row in rows if row["resource"] == resource), _ZERO) for name in names
            },
        }
        for resource in resources
    ]


def _budgets(warehouse: Warehouse, settings: Settings, cluster: str, window: Dates) -> list[Row]:
    """The budgets that concern the cluster, of a month alone, with what was spent; kept only where no day is missing."""
    if len(window) <= 7:
        return []
    budgets = [each for each in settings.budgets if each.cluster in (None, cluster)]
    found = []
    for budget in budgets:
        filters = Filters(budget.cluster)
        *rows, _ = cost_table(warehouse, [budget.dimension], window, filters).to_pylist()
        spent = next((row["cost"] for row in rows if row[budget.dimension] == budget.subject), None)
        whole = _whole(warehouse, budget.cluster, window)
        if spent is not None and spent > money(budget.monthly):
            state = "exceeded"
        else:
            state = "kept" if whole and spent is not None else "not_known"
        note = "" if whole else "days are missing"
        found.append(
            {
                "dimension": budget.dimension,
                "subject": budget.subject,
                "monthly": budget.monthly,
                "spent": spent,
                "state": state,
                "note": note,
            }
        )
    return found


def _whole(warehouse: Warehouse, cluster: str | None, window: Dates) -> bool:
    """Whether every day of the window is held, of one cluster or of each that the lake knows."""
    text = """
        select
            count(*) filter (where date >= $start and date < $until) as held,
            count(distinct cluster) as clusters
        from runs
        where $cluster is null or cluster = $cluster
    """
    [row] = warehouse.sql(text, {"start": window.start, "until": window.end, "cluster": cluster}).to_pylist()
    return bool(row["held"] == len(window) * row["clusters"])


def _envelope(told: Told, made: dict[str, str]) -> Row:
    compared, answers = told.compared, told.answers
    now, before = compared.now, compared.before
    observed = edition_quality.coverage(told.days, now)
    return envelope(
        "costlab.edition/1",
        now.window,
        compared.currency,
        (now.days - len(now.incomplete), len(now.window), observed),
        cluster=compared.cluster,
        name=now.window.name,
        total=now.total,
        before={
            "window": {"start": before.window.start.isoformat(), "end": before.window.end.isoformat()},
            "complete_days": before.days - len(before.incomplete),
            "days": len(before.window),
            "total": before.total,
        },
        change={
            "by": "day" if now.monthly else "week",
            "now": compared.amount,
            "before": compared.usual,
            "change": compared.change,
        },
        rows=answers["teams"],
        days=told.shown,
        **{name: rows for name, rows in answers.items() if name not in ("teams", "advice_refused")},
        made_of=made,
    )
