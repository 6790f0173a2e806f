"""Costs that are far from the robust level of the same weekday: when, whose, how much, and the one cause."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from costlab.core.anomalies import DAILY, Episode, episodes, middle, scores
from costlab.core.arrays import Floats
from costlab.domain.dates import Dates
from costlab.domain.findings import Finding, Severity
from costlab.jobs.asked import OF_PODS, Filters, key_columns
from costlab.render.alarms import alarm_sentence
from costlab.render.wording import Cause, Contribution, find_cause
from costlab.store.warehouse import Warehouse

_SUBJECTS = {name: OF_PODS[name] for name in ("team", "namespace", "workload")}
_LEAST_SHARE = Decimal("0.01")  # of what the cluster cost on the day: what is less is nobody's concern
_EVERYONE = Filters()

Row = dict[str, Any]
Key = tuple[str, ...]

_COLUMNS = {
    "date": pa.date32(),
    "last_date": pa.date32(),
    "cost": pa.decimal128(18, 6),
    "usual_cost": pa.decimal128(18, 6),
    "change_cost": pa.decimal128(18, 6),
    "score": pa.float64(),
    "cause": pa.string(),
    "cause_cost": pa.decimal128(18, 6),
    "cause_workload_kind": pa.string(),
    "cause_workload": pa.string(),
    "cause_resource": pa.string(),
    "message": pa.string(),
}


@dataclass(frozen=True, slots=True)
class Found:
    """The alarms, how many subjects could be judged on at least one day of the window, and how many there were."""

    rows: pa.Table
    judged: int
    subjects: int
    currency: str | None


@dataclass(frozen=True, slots=True)
class _Costs:
    """A cluster's costs: float64 (subjects, days), NaN on days that are not complete, 0 where nothing was owed."""

    cluster: str
    days: Dates
    keys: Sequence[Key]
    values: Floats
    least: Floats
    currency: str


def anomalies(warehouse: Warehouse, by: str, window: Dates, filters: Filters = _EVERYONE) -> Found:
    """The alarms of which any day is in the window, the latest first, then the largest change.

    `by` is team, namespace or workload. An alarm is one row however long it lasts: `date` is the day on which it began,
    `last_date` the last one beyond the threshold; costs, score and cause are those of the first. usual_cost is the robust
    level, and cause_cost the part of the change that the cause makes. Raises ConfigError for another `by`.
    """
    names = key_columns([by], _SUBJECTS)
    rows: list[Row] = []
    judged, subjects, currency = 0, 0, None
    for costs in _costs(warehouse, by, window, filters):
        scored = scores(costs.values, costs.least)
        within = slice((window.start - costs.days.start).days, None)
        judged += int((~np.isnan(scored[:, within])).any(axis=1).sum())
        subjects += len(costs.keys)
        currency = currency or costs.currency
        rows += [
            _row(warehouse, costs, episode, scored, names, filters)
            for episode in episodes(scored)
            if costs.days.start + timedelta(episode.last) >= window.start
        ]
    rows.sort(
        key=lambda row: (-row["date"].toordinal(), -abs(row["change_cost"]), row["cluster"], row["message"])
    )
    kinds = {"cluster": pa.string(), **dict.fromkeys(names, pa.string()), **_COLUMNS}
    return Found(pa.Table.from_pylist(rows, schema=pa.schema(kinds)), judged, subjects, currency)


def alarms_of(warehouse: Warehouse, cluster: str, day: date) -> list[Finding]:
    """What began on this day in the costs of the cluster's teams, the largest change first."""
    return [alarm for _, alarm in alarms_in(warehouse, cluster, Dates(day, day + timedelta(1)))]


def alarms_in(warehouse: Warehouse, cluster: str, window: Dates) -> list[tuple[date, Finding]]:
    """What began in the window, with its day: the latest first, then the largest change."""
    rows = anomalies(warehouse, "team", window, Filters(cluster)).rows.to_pylist()
    return [
        (
            row["date"],
            Finding("cost_anomaly", Severity.INFO, row["team"], row["message"], abs(row["change_cost"])),
        )
        for row in rows
        if window.start <= row["date"] < window.end
    ]


def _costs(warehouse: Warehouse, by: str, window: Dates, filters: Filters) -> Iterator[_Costs]:
    """Cluster by cluster; the days begin so early that the window's alarms are known to be old or new."""
    past = min(timedelta(DAILY.memory + DAILY.cycles * DAILY.period), window.start - date.min)
    days = Dates(window.start - past, window.end)
    asked = {name: wanted or "" for name, wanted in asdict(filters).items()}
    rows = warehouse.query("subject_days", start=days.start, until=days.end, by=by, **asked).to_pylist()
    clusters: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        clusters[row["cluster"]].append(row)
    for cluster, days_told in clusters.items():
        wholes = [row for row in days_told if row["key"] is None]
        currency = next((row["currency"] for row in reversed(wholes) if row["currency"]), "")
        # Money of another currency than the newest cannot be compared with it: those days are not known.
        strange = {row["date"] for row in wholes if row["currency"] not in (currency, None)}
        told = [row for row in days_told if row["date"] not in strange]
        keys = sorted({tuple(row["key"]) for row in told if row["key"]})
        place = {key: number for number, key in enumerate(keys)}
        values, least = np.full((len(keys), len(days)), np.nan), np.full(len(days), np.nan)
        for row in (row for row in told if not row["key"]):
            step = (row["date"] - days.start).days
            values[:, step] = 0.0
            least[step] = float(_LEAST_SHARE * abs(row["total_cost"] or 0))
        for row in (row for row in told if row["key"]):
            # A subject none of whose charges has a price is not known, which is not 0.
            cost = row["total_cost"]
            values[place[tuple(row["key"])], (row["date"] - days.start).days] = (
                np.nan if cost is None else cost
            )
        yield _Costs(cluster, days, keys, values, least, currency)


def _row(
    warehouse: Warehouse, costs: _Costs, episode: Episode, scored: Floats, names: Sequence[str], filters: Filters
) -> Row:  # fmt: skip
    key, day = costs.keys[episode.subject], costs.days.start + timedelta(episode.first)
    references = [
        costs.days.start + timedelta(step) for step in middle(costs.values[episode.subject], episode.first)
    ]
    changes = warehouse.query(
        "cost_changes", cluster=costs.cluster, day=day, against=",".join(map(str, references))
    ).to_pylist()
    parts = [row for row in changes if _subject(row, names) == key and _wanted(row, filters)]
    cost, usual = (sum((row[name] for row in parts), Decimal(0)) for name in ("total_cost", "usual_cost"))
    cause = find_cause(map(Contribution.of, parts), cost - usual)
    return {
        "cluster": costs.cluster,
        **dict(zip(names, key, strict=True)),
        "date": day,
        "last_date": costs.days.start + timedelta(episode.last),
        "cost": cost,
        "usual_cost": usual,
        "change_cost": cost - usual,
        "score": float(scored[episode.subject, episode.first]),
        **_told(cause),
        "message": alarm_sentence(
            dict(zip(names, key, strict=True)), day, cost, usual, cause, costs.currency
        ),
    }


def _told(cause: Cause | None) -> Row:
    """The cause in columns; null where it is wider than what a column names."""
    if cause is None:
        return {}
    return {
        "cause": cause.effect.value,
        "cause_cost": cause.change,
        "cause_workload_kind": cause.workload_kind or None,
        "cause_workload": cause.workload or None,
        "cause_resource": cause.resource or None,
    }


def _subject(change: Row, names: Sequence[str]) -> Key:
    """Whose change it is, as queries/marts/subject_days.sql names it."""
    nobody = f"({change['kind']})" if change["kind"] in ("idle", "system", "fee") else "(none)"
    return tuple(change[name] or nobody for name in names)


def _wanted(change: Row, filters: Filters) -> bool:
    wanted = {"namespace": filters.namespace, "team": filters.team}
    return all(of is None or _subject(change, (name,)) == (of,) for name, of in wanted.items())
