"""A lake that is asked about one day after another: what the days' windows have in common is asked once."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from costlab.domain.dates import Dates
from costlab.store.warehouse import Warehouse

# Small beside what they are made of, looked at by several questions of every day, and in no sum of floats, whose last
# digits tell in which order they were added.
_KEPT = ("day_costs", "volumes", "findings")
# A few rows a day, asked by its report, its week and its month.
_AGAIN = ("gpu_models", "idle_gpus", "reconciliation")

Params = Mapping[str, Any]


class DayByDay(Warehouse):
    """A warehouse that gives the same answers, sooner, to who asks about each of some days."""

    def __init__(self, warehouse: Warehouse, span: Dates) -> None:
        """Over what the warehouse is over, to be asked about the days of the span; raises LakeError."""
        super().__init__(warehouse._connection)  # noqa: SLF001 - of its own kind
        for view in _KEPT:
            warehouse.keep(view)
        self._span = span
        self._wide: dict[tuple[Any, ...], tuple[Dates, pa.Table]] = {}
        self._told: dict[tuple[Any, ...], pa.Table] = {}

    def query(self, wanted: str, **params: Any) -> pa.Table:
        """The rows of a named query, cut from those of all days where a row tells of its own date alone; as `Warehouse`."""
        if wanted in _AGAIN:
            asked = (wanted, *sorted(params.items()))
            if asked not in self._told:
                self._told[asked] = super().query(wanted, **params)
            return self._told[asked]
        if wanted not in _WINDOWED:
            return super().query(wanted, **params)
        window_of, widened = _WINDOWED[wanted]
        window = window_of(params)
        others = {name: value for name, value in params.items() if name not in _DATES}
        key = (wanted, *sorted(others.items()))
        if key not in self._wide:
            length = len(window)
            span = Dates(self._span.start - timedelta(days=length), max(self._span.end, window.end))
            self._wide[key] = span, super().query(wanted, **others, **widened(span))
        span, rows = self._wide[key]
        if window.start < span.start or window.end > span.end:
            return super().query(wanted, **params)
        dates = rows["date"]
        within = pc.and_(pc.greater_equal(dates, window.start), pc.less(dates, window.end))
        return rows.filter(within)


def _up_to(params: Params) -> Dates:
    end = _date(params["day"]) + timedelta(days=1)
    return Dates(end - timedelta(days=int(params["days"])), end)


def _between(params: Params) -> Dates:
    return Dates(_date(params["start"]), _date(params["until"]))


def _date(value: Any) -> date:
    return date.fromisoformat(str(value))


# Of each such query the window that it asks of, and what it is asked for another one.
_WINDOWED: dict[str, tuple[Callable[[Params], Dates], Callable[[Dates], dict[str, Any]]]] = {
    "team_days": (_up_to, lambda span: {"day": span.end - timedelta(days=1), "days": len(span)}),
    "subject_days": (_between, lambda span: {"start": span.start, "until": span.end}),
}
_DATES = ("day", "days", "start", "until")
