"""What a backtest is made of: usage as it was observed, and the containers' days with what they requested."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from costlab.core.kernels import Floats, Ints
from costlab.core.rightsizing.samples import Samples
from costlab.core.rightsizing.score import ContainerDays
from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError
from costlab.domain.time import Day, days_between
from costlab.jobs.asked import Filters
from costlab.store.warehouse import Warehouse

MOST_STRETCHES = 60_000_000  # 39 M took 4.3 GiB at the most, most of it while they are read
IDENTITY = ("cluster", "namespace", "workload_kind", "workload", "container")


@dataclass(frozen=True, slots=True)
class Past:
    """Usage and days of containers. subjects: a row each, with the columns of `IDENTITY`. currency: of all prices.

    daily_cost: float64 (subjects,), what a day of their requests costs before the first scored one; NaN = not known.
    """

    samples: Samples
    days: ContainerDays
    subjects: pa.Table
    currency: str | None
    daily_cost: Floats


def past_of(warehouse: Warehouse, filters: Filters, window: Dates, scored: Dates, timezone: str) -> Past:
    """The observed usage of a window, and the container-days of the scored part of it.

    Raises ConfigError where there is no usage, too much of it to be held in memory, or prices in several currencies.
    """
    asked = {
        "cluster": filters.cluster or "", "namespace": filters.namespace or "", "team": filters.team or "",
        "start": window.start.isoformat(), "until": window.end.isoformat(),
    }  # fmt: skip
    _refuse_too_much(warehouse, window, filters)
    rows = warehouse.query("requested_days", **asked)
    usage = warehouse.query("observed_usage", **asked)
    if not usage.num_rows or not rows.num_rows:
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
    whose = rows.group_by(["subject", *IDENTITY]).aggregate([]).sort_by("subject")
    before = Dates(window.start, scored.start)
    return Past(
        _samples(usage, rows),
        _days(rows, scored, timezone),
        whose.select(IDENTITY),
        currencies[0] if currencies else None,
        _daily_cost(_days(rows, before, timezone), whose.num_rows),
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


def _samples(usage: pa.Table, rows: pa.Table) -> Samples:
    replicas = int(pc.max(rows["replica"]).as_py()) + 1
    subject = np.zeros(replicas, np.int64)
    subject[rows["replica"].to_numpy()] = rows["subject"].to_numpy()
    replica = usage["replica"].to_numpy()
    at_ms = usage["ts"].cast(pa.timestamp("ms", "UTC")).cast(pa.int64()).to_numpy()
    lasted_ms = np.rint(usage["dt_s"].to_numpy() * 1000.0).astype(np.int64)
    return Samples(
        subject,
        np.searchsorted(replica, np.arange(replicas + 1)).astype(np.int64),
        at_ms,
        lasted_ms,
        usage["cpu_cores"].to_numpy(),
        usage["memory_bytes"].to_numpy(),
    )


def _days(rows: pa.Table, scored: Dates, timezone: str) -> ContainerDays:
    rows = rows.filter(
        pc.and_(
            pc.greater_equal(rows["date"], pa.scalar(scored.start)),
            pc.less(rows["date"], pa.scalar(scored.end)),
        )
    )
    edges = edges_ms(scored, timezone)
    day: Ints = (
        rows["date"].cast(pa.int32()).to_numpy().astype(np.int64)
        - pa.scalar(scored.start).cast(pa.int32()).as_py()
    )

    def floats(name: str) -> Floats:
        return np.asarray(rows[name].cast(pa.float64()).fill_null(float("nan")).to_numpy(), np.float64)

    return ContainerDays(
        replica=rows["replica"].to_numpy(),
        subject=rows["subject"].to_numpy(),
        day=day,
        begin_ms=edges[day],
        end_ms=edges[day + 1],
        hours=floats("hours"),
        cpu_request=floats("cpu_request"),
        memory_request=floats("memory_request"),
        cpu_limit=floats("cpu_limit"),
        memory_limit=floats("memory_limit"),
        cpu_price=floats("cpu_price"),
        memory_price=floats("memory_price"),
    )


def _daily_cost(days: ContainerDays, subjects: int) -> Floats:
    cost = days.cost(days.cpu_request, days.memory_request)
    known = np.isfinite(cost)
    total = np.bincount(days.subject[known], cost[known], subjects)
    pairs = np.unique(np.column_stack([days.subject[known], days.day[known]]), axis=0)
    count = np.bincount(pairs[:, 0], minlength=subjects)
    daily: Floats = np.divide(total, count, out=np.full(subjects, np.nan), where=count > 0)
    return daily


def edges_ms(dates: Dates, timezone: str) -> Ints:
    """When each of these days begins, and the last one ends: int64 (days + 1,)."""
    days = days_between(Day(dates.start, timezone), Day(dates.end, timezone))
    return np.array([day.window.start_ms for day in days], np.int64)
