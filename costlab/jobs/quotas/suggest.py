"""What each namespace's quotas should allow: a day's suggestions, for the lake, the report and the command line."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from costlab.config.advising import Quota
from costlab.config.settings import Settings
from costlab.core.arrays import Floats
from costlab.core.forecasting import LONGEST, forecast
from costlab.core.grid import Grid, grid_of
from costlab.domain.time import Day
from costlab.domain.units import Resource
from costlab.jobs.commit import Beside, check, commit_beside, measured_run
from costlab.jobs.outcome import Outcome
from costlab.jobs.quotas.demand import containers_asked, hours_of
from costlab.store.lake import Lake
from costlab.store.schema import conform, empty
from costlab.store.warehouse import Warehouse

_Key = tuple[str, str]  # namespace, key
_AFTER = {"requests": 0, "limits": 2}  # what the kernel of demand says of the most in an hour


@dataclass(frozen=True, slots=True)
class Suggested:
    """A day's suggestions, and what became of them."""

    rows: pa.Table
    outcome: Outcome


def suggest_day(lake: Lake, settings: Settings, cluster: str, day: Day) -> Suggested:
    """Write the day's suggestions into the lake, from it and the days before; what is the same is not written again.

    Raises ConfigError when the day is not in the lake; and what the lake raises.
    """
    made = quotas_beside(lake, settings, cluster, day)
    rows, changed = made.rows, commit_beside(lake, cluster, day, "quota_advice", made.rows, made.run)
    what = "committed" if changed else "unchanged, nothing committed"
    return Suggested(rows, Outcome(f"{cluster} {day}: quotas, {rows.num_rows} keys, {what}"))


def quotas_beside(lake: Lake, settings: Settings, cluster: str, day: Day) -> Beside:
    """The day's suggestions as `suggest_day` writes them, which writes nothing yet. Raises what that does."""
    run = measured_run(lake, cluster, day)
    return Beside(suggestions(Warehouse.over(lake), settings, cluster, day), run)


def suggested(lake: Lake, settings: Settings, clusters: Sequence[str], day: Day, *, keep: bool) -> Warehouse:
    """A warehouse that holds the suggestions of several clusters; `keep` writes them, as `suggest_day` does.

    Raises what `suggest_day` does, and Busy when another run is in the lake that would be written.
    """
    if keep:
        with lake.locked():
            for cluster in clusters:
                suggest_day(lake, settings, cluster, day)
        return Warehouse.over(lake)
    for cluster in clusters:
        measured_run(lake, cluster, day)
    warehouse = Warehouse.over(lake)
    rows = [suggestions(warehouse, settings, cluster, day) for cluster in clusters]
    return Warehouse.over(lake, {"quota_advice": pa.concat_tables([empty("quota_advice"), *rows])})


def suggestions(warehouse: Warehouse, settings: Settings, cluster: str, day: Day) -> pa.Table:
    """Rows of `quota_advice`, checked."""
    rules = settings.quota
    asked = {"cluster": cluster, "day": str(day)}
    histories = _histories(warehouse.query("quota_days", **asked, days=LONGEST), day.date)
    ahead = {key: _ahead(history, rules, day.date) for key, history in histories.items()}
    grid = grid_of(
        _back(day, rules.days - 1).window.start_ms, day.window.end_ms, settings.billing.resolution_ms
    )
    after = _after(warehouse.query("quota_requests", **asked, days=rules.days), grid)
    hours = warehouse.query("quota_hours", **asked, days=rules.days)["hours"].to_pylist()
    keys = sorted(ahead)
    rows = warehouse.query(
        "quota_suggestions",
        **asked,
        days=rules.days,
        headroom=rules.headroom,
        owners=[namespace for namespace, _ in keys],
        resources=[key for _, key in keys],
        levels=[ahead[key][0] for key in keys],
        uppers=[ahead[key][1] for key in keys],
        after_p99=[_rank(after[key], sum(hours)) if key in after else None for key in keys],
        after_peak=[float(after[key].max(initial=0.0)) if key in after else None for key in keys],
    )
    table = conform("quota_advice", {"cluster": cluster, "date": day.date, **_columns(rows)})
    check({"quota_advice": table})
    return table


def _histories(rows: pa.Table, last: date) -> dict[_Key, Floats]:
    """The most of each day up to the last one, by key; NaN where it is not known."""
    found: dict[_Key, Floats] = defaultdict(lambda: np.full(LONGEST, np.nan))
    for row in rows.to_pylist():
        found[row["namespace"], row["key"]][LONGEST - 1 - (last - row["date"]).days] = row["peak"]
    return found


def _ahead(history: Floats, rules: Quota, last: date) -> tuple[list[float], list[float]]:
    """What is expected on each day ahead, and its upper bound; empty where that is not known."""
    known = history[np.argmax(~np.isnan(history)) :]
    first = last - timedelta(days=len(known) - 1)
    days = forecast(known, first.weekday(), rules.days_ahead).days
    return _known(days.level), _known(days.upper)


def _known(values: Floats) -> list[float]:
    return [] if np.isnan(values).any() else values.tolist()


def _after(rows: pa.Table, grid: Grid) -> dict[_Key, Floats]:
    """The most of each hour in which anything is asked for, once the advice is followed."""
    found: dict[_Key, Floats] = {}
    for resource in (Resource.CPU, Resource.MEMORY):
        keys, hourly = hours_of(containers_asked(rows, resource), grid)
        for (namespace, _), of_hours in zip(keys, hourly, strict=True):
            for what, column in _AFTER.items():
                most = of_hours[:, column]
                found[namespace, f"{what}.{resource.value}"] = most[most > 0]
    return found


def _rank(some: Floats, hours: int) -> float:
    """The 99th percentile by nearest rank, of so many hours; those that are not among `some` are 0."""
    place = -(-99 * hours // 100) - (hours - len(some))
    return float(np.sort(some)[place - 1]) if place > 0 else 0.0


def _back(day: Day, count: int) -> Day:
    return Day(day.date - timedelta(days=count), day.timezone)


def _columns(rows: pa.Table) -> dict[str, pa.ChunkedArray]:
    return {name: rows[name] for name in rows.column_names}
