"""What a backtest is made of: usage as it was observed, and the containers' days with what they requested."""

from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from costlab.core.arrays import Floats, Ints
from costlab.core.rightsizing.samples import Circumstances, Samples, joined
from costlab.core.rightsizing.score import ContainerDays
from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError
from costlab.domain.time import Day, days_between
from costlab.domain.units import Resource
from costlab.jobs.asked import Filters
from costlab.jobs.rightsizing.circumstances import SCALED, kills_of, scalings
from costlab.jobs.rightsizing.past import ADVISED, names_of
from costlab.jobs.rightsizing.stretches import stretches_of
from costlab.store.warehouse import Warehouse

MOST_STRETCHES = 60_000_000  # 39 M took 4.3 GiB at the most, most of it while they are read
IDENTITY = ("cluster", "namespace", "workload_kind", "workload", "container")


@dataclass(frozen=True, slots=True)
class Past:
    """Usage and days of containers. subjects: a row each, with the columns of `IDENTITY`. currency: of all prices.

    classes: of each subject, as told first. circumstances: as they stood before each scored day.
    """

    samples: Samples
    days: ContainerDays
    subjects: pa.Table
    classes: tuple[str, ...]
    circumstances: Circumstances
    currency: str | None


def past_of(
    warehouse: Warehouse, filters: Filters, window: Dates, scored: Dates, timezone: str, cost_days: int
) -> Past:
    """The observed usage of a window, and the container-days of the scored part of it.

    cost_days: how many days before each scored one tell what a subject costs. Raises ConfigError where there is no usage, too much of it to be held in memory, or prices in several currencies.
    """
    asked = {
        "cluster": filters.cluster or "", "namespace": filters.namespace or "", "team": filters.team or "",
        "start": window.start.isoformat(), "until": window.end.isoformat(),
    }  # fmt: skip
    _refuse_too_much(warehouse, window, filters)
    rows = warehouse.query("requested_days", **asked)
    samples = _samples(warehouse, filters, window, rows) if rows.num_rows else None
    if samples is None or not len(samples.at_ms):
        raise ConfigError(
            f"the lake has no usage of such containers from {window.start} to {window.end}",
            "widen --window, or the filters; usage is kept as long as `retention.container_usage` says",
        )
    currencies = sorted(set(rows["currency"].unique().to_pylist()) - {None})
    if len(currencies) > 1:
        raise ConfigError(
            f"the window holds {' and '.join(currencies)}, which do not add up",
            "narrow it with --window or --cluster",
        )
    subjects = _first(rows, "subject")
    return Past(
        samples,
        _days(rows, scored, timezone),
        subjects.select(IDENTITY),
        tuple(subjects["class"].to_pylist()),
        _circumstances(warehouse, rows, subjects, window, scored, timezone, cost_days),
        currencies[0] if currencies else None,
    )


def _refuse_too_much(warehouse: Warehouse, window: Dates, filters: Filters) -> None:
    text = """
        select count(*) as stretches
        from container_usage
        semi join (
            select cluster, container_key
            from containers
            where $cluster in ('', cluster) and $namespace in ('', namespace) and $team in ('', team)
        ) as wanted using (cluster, container_key)
        where date >= $start and date < $until
    """
    given = {
        "cluster": filters.cluster or "", "namespace": filters.namespace or "", "team": filters.team or "",
        "start": window.start, "until": window.end,
    }  # fmt: skip
    [count] = warehouse.sql(text, given)["stretches"].to_pylist()
    if count > MOST_STRETCHES:
        raise ConfigError(
            f"the window holds {count:,} stretches of usage; {MOST_STRETCHES:,} can be held in memory",
            "narrow it with --window, --train, --cluster, -n or --team",
        )


def _first(rows: pa.Table, number: str) -> pa.Table:
    """The first row of each replica or subject, in their order."""
    rows = rows.sort_by([(number, "ascending"), ("date", "ascending"), ("replica", "ascending")])
    numbers = rows[number].to_numpy()
    return rows.filter(pa.array(np.diff(numbers, prepend=-1) > 0))


def _samples(warehouse: Warehouse, filters: Filters, window: Dates, rows: pa.Table) -> Samples:
    """What every replica used: a question a cluster, for keys are of their clusters."""
    replicas = _first(rows, "replica")
    parts = []
    for cluster in replicas["cluster"].unique().to_pylist():
        own = replicas.filter(pc.equal(replicas["cluster"], cluster))
        only = replace(filters, cluster=cluster)
        keys = (own[name].to_numpy() for name in ("container_key", "subject"))
        parts.append(stretches_of(warehouse, only, window, *keys))
    return joined(parts)


def _days(rows: pa.Table, scored: Dates, timezone: str) -> ContainerDays:
    rows = rows.filter(
        pc.and_(
            pc.greater_equal(rows["date"], pa.scalar(scored.start)),
            pc.less(rows["date"], pa.scalar(scored.end)),
        )
    )
    edges, day = edges_ms(scored, timezone), _day_of(rows, scored)
    return ContainerDays(
        replica=rows["replica"].to_numpy(),
        subject=rows["subject"].to_numpy(),
        day=day,
        begin_ms=edges[day],
        end_ms=edges[day + 1],
        hours=_floats(rows, "hours"),
        cpu_request=_floats(rows, "cpu_request"),
        memory_request=_floats(rows, "memory_request"),
        cpu_limit=_floats(rows, "cpu_limit"),
        memory_limit=_floats(rows, "memory_limit"),
        cpu_price=_floats(rows, "cpu_price"),
        memory_price=_floats(rows, "memory_price"),
    )


def _circumstances(
    warehouse: Warehouse,
    rows: pa.Table,
    subjects: pa.Table,
    window: Dates,
    scored: Dates,
    timezone: str,
    cost_days: int,
) -> Circumstances:
    """What was known before each scored day; what is scaled counts as such whatever its autoscaler aims at."""
    kills, scaled = [], {resource: np.zeros((len(scored), subjects.num_rows), bool) for resource in ADVISED}
    eves = Dates(scored.start - timedelta(days=1), scored.end - timedelta(days=1))
    for cluster in subjects["cluster"].unique().to_pylist():
        own = np.flatnonzero(pc.equal(subjects["cluster"], cluster).to_numpy())
        some = subjects.take(pa.array(own))
        killed = kills_of(warehouse, cluster, window, timezone, names_of(some))
        kills.append((own[killed.subject], killed.at_ms, killed.limit_bytes))
        names = list(zip(*(some[name].to_pylist() for name in SCALED), strict=True))
        for on, *name, resource in scalings(warehouse, cluster, eves):
            whose = [place for place, other in zip(own, names, strict=True) if other == tuple(name)]
            scaled[resource][(on - eves.start).days, whose] = True
    containers, cost = _known_before(rows, subjects.num_rows, window, scored, cost_days)
    killed_subject, killed_at_ms, killed_limit_bytes = map(np.concatenate, zip(*kills, strict=True))
    return Circumstances(
        containers,
        scaled[Resource.CPU],
        scaled[Resource.MEMORY],
        killed_subject,
        killed_at_ms,
        killed_limit_bytes,
        cost,
    )


def _known_before(
    rows: pa.Table, subjects: int, window: Dates, scored: Dates, cost_days: int
) -> tuple[Ints, Floats]:
    """Containers in the pod, as last seen, and what a day cost of the last ones; (days, subjects).

    Money is NaN where none is known. A day counts from a subject's first on, if anything was measured on it.
    """
    place = rows["subject"].to_numpy(), _day_of(rows, window)
    in_pod = np.zeros((subjects, len(window)), np.int64)
    np.maximum.at(in_pod, place, rows["containers_in_pod"].to_numpy())
    paid = np.zeros((subjects, len(window)))
    np.add.at(paid, place, np.nan_to_num(_floats(rows, "cost")))
    measured: NDArray[np.bool_] = np.any(in_pod, axis=0, keepdims=True)
    containers, cost = np.ones((len(scored), subjects), np.int64), np.full((len(scored), subjects), np.nan)
    for day in range(len(scored)):
        end = (scored.start - window.start).days + day
        seen = np.maximum.accumulate(np.where(in_pod[:, :end] > 0, np.arange(end), -1), axis=1)
        if end:
            last = seen[:, -1]
            containers[day] = np.where(last >= 0, in_pod[np.arange(subjects), last], 1)
        lately = slice(max(0, end - cost_days), end)
        count = ((np.cumsum(in_pod[:, lately], axis=1) > 0) & measured[:, lately]).sum(axis=1)
        total = paid[:, lately].sum(axis=1)
        cost[day] = np.divide(total, count, out=np.full(subjects, np.nan), where=total > 0)
    return containers, cost


def _day_of(rows: pa.Table, dates: Dates) -> Ints:
    """Which of these days each row is of, from 0."""
    days: Ints = rows["date"].cast(pa.int32()).to_numpy().astype(np.int64)
    return days - int(np.datetime64(dates.start).astype(np.int64))


def _floats(rows: pa.Table, name: str) -> Floats:
    return np.asarray(rows[name].cast(pa.float64()).fill_null(float("nan")).to_numpy(), np.float64)


def edges_ms(dates: Dates, timezone: str) -> Ints:
    """When each of these days begins, and the last one ends: int64 (days + 1,)."""
    days = days_between(Day(dates.start, timezone), Day(dates.end, timezone))
    return np.array([day.window.start_ms for day in days], np.int64)
