"""A lake to ask questions of: SQL, named queries, what things cost, and what they would."""

import html
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa

from costlab.config.faults import meant
from costlab.domain.dates import Dates, parse_window
from costlab.domain.errors import ConfigError
from costlab.domain.sharing import ShareIdle
from costlab.domain.tables import TABLES
from costlab.jobs.asked import Filters
from costlab.jobs.cost import cost_table
from costlab.jobs.what_if import OtherPrices, costs_at
from costlab.lab.demo import demo_lake
from costlab.lab.frames import Frame, framed
from costlab.lab.plots import Plots
from costlab.store.lake import Lake
from costlab.store.place import Place, located
from costlab.store.warehouse import Warehouse, queries

DEMO = "demo"


class Lab:
    """A lake as it was when it was opened. Nothing can be changed through it, and it may be used while a night runs.

    A window is written as on the command line (`7d`, `2026-11`, `2026-11-01..2026-11-08`, a date); `7d` are the last
    seven days that the lake has. Answers are pandas frames, in which money is float64; `to="arrow"` and
    `to="polars"` keep it exact. What days a night adds, the next `costlab.open` sees.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._warehouse = Warehouse.over(lake)
        self.plot = Plots(self._warehouse, self._window, lake.timezone)

    @property
    def path(self) -> Place:
        """Where the lake is: a folder, or a path in a bucket."""
        return self._lake.path

    def sql(self, statement: str, *, to: Frame | str = Frame.PANDAS, **params: Any) -> Any:
        """The rows of a SELECT, `$name` parameters by keyword; raises ConfigError with what DuckDB says of it."""
        return framed(self._warehouse.sql(statement, params), to)

    def query(self, name: str, *, to: Frame | str = Frame.PANDAS, **params: Any) -> Any:
        """The rows of a named query; raises ConfigError for an unknown name, and parameters that do not fit."""
        return framed(self._warehouse.query(name, **params), to)

    def cost(
        self,
        by: str = "team",
        window: str = "7d",
        *,
        share_idle: ShareIdle | str = ShareIdle.NONE,
        cluster: str | None = None,
        namespace: str | None = None,
        team: str | None = None,
        to: Frame | str = Frame.PANDAS,
    ) -> Any:
        """What it cost, as `costlab cost --by` says it: one row a key, the total in the last. Raises ConfigError."""
        filters = Filters(cluster, namespace, team)
        rows = cost_table(
            self._warehouse, by.split(","), self._window(window), filters, idle=ShareIdle(share_idle)
        )
        return framed(rows, to)

    def what_if(
        self,
        prices: Mapping[str, Any],
        by: str = "team",
        window: str = "7d",
        *,
        cluster: str | None = None,
        to: Frame | str = Frame.PANDAS,
    ) -> Any:
        """What a window would have cost at other prices: the keys of the configuration's `prices`, and only those change.

        >>> lab.what_if({"gpu_hour": 2.0, "gpu_models": {"NVIDIA L4": 0.8}}, by="team")  # doctest: +SKIP

        One row a key, the largest difference first, the total in the last. Raises ConfigError for an unknown price.
        """
        asked = by.split(",")
        return framed(
            costs_at(self._warehouse, OtherPrices.of(prices), asked, self._window(window), cluster), to
        )

    def tables(self) -> pd.DataFrame:
        """The tables: what a row of each is, and how many the lake has on the days that can be read."""
        rows = [
            (spec.name, spec.grain, self._count(spec.name), ", ".join(spec.sort)) for spec in TABLES.values()
        ]
        return pd.DataFrame(rows, columns=["table", "one_row_is", "rows", "key_within_a_day"])

    def describe(self, table: str | None = None) -> pd.DataFrame:
        """Every column of a table, or of all: its unit, its meaning, and what null means there."""
        if table is not None and table not in TABLES:
            raise ConfigError(f"there is no table {table!r}{meant(table, TABLES)}", "lab.tables() lists them")
        specs = TABLES.values() if table is None else [TABLES[table]]
        rows = [
            (spec.name, c.name, c.type.value, c.unit, c.doc, c.null) for spec in specs for c in spec.columns
        ]
        return pd.DataFrame(rows, columns=["table", "column", "type", "unit", "meaning", "null_means"])

    def queries(self) -> pd.DataFrame:
        """The named queries, what a row of each is, and the parameters it takes."""
        rows = [
            (q.name, q.folder, q.about, q.grain, ", ".join(sorted(q.params)), q.units)
            for q in queries().values()
        ]
        return pd.DataFrame(rows, columns=["query", "kind", "answers", "one_row_is", "params", "units"])

    def days(self) -> pd.DataFrame:
        """Every day of every cluster, and how far it came; what is not complete is not in the tables."""
        rows = [(cluster, day, state.value) for (cluster, day), state in self._lake.states().items()]
        return pd.DataFrame(rows, columns=["cluster", "date", "state"])

    def __repr__(self) -> str:
        return f"<{self._said()}>"

    def _repr_html_(self) -> str:
        tables = "".join(
            f"<tr><td><code>{spec.name}</code></td><td style='text-align:left'>{html.escape(spec.grain)}</td></tr>"
            for spec in TABLES.values()
        )
        return (
            f"<p><strong>{html.escape(self._said())}</strong><br>"
            "Ask with <code>lab.cost(by=…)</code>, <code>lab.sql(…)</code> and <code>lab.query(…)</code>; "
            "<code>lab.describe(TABLE)</code> tells columns and units, <code>lab.queries()</code> the named queries.</p>"
            f"<details><summary>{len(TABLES)} tables</summary><table><tr><th>table</th>"
            f"<th style='text-align:left'>one row is</th></tr>{tables}</table></details>"
        )

    def _said(self) -> str:
        known = self._days()
        clusters = {cluster for cluster, _ in known}
        span = f"{min(d for _, d in known)} to {max(d for _, d in known)}" if known else "no day yet"
        many = "1 cluster" if len(clusters) == 1 else f"{len(clusters)} clusters"
        return f"costlab lake {self.path}: {many}, {span}, days in {self._lake.timezone}"

    def _window(self, text: str) -> Dates:
        """The days that a text names, counted from the last that the lake has."""
        last = max((day for _, day in self._days()), default=None)
        zone = ZoneInfo(self._lake.timezone)
        after = last + timedelta(days=1) if last else datetime.now(UTC).astimezone(zone).date()
        return parse_window(text, datetime(*after.timetuple()[:3], 12, tzinfo=zone), self._lake.timezone)

    def _days(self) -> list[tuple[str, date]]:
        rows: pa.Table = self._warehouse.sql("select cluster, date from runs order by cluster, date")
        return [(row["cluster"], row["date"]) for row in rows.to_pylist()]

    def _count(self, table: str) -> int:
        counted = self._warehouse.sql(f'select count(*) as rows from "{table}"')  # noqa: S608 - a declared name
        return int(counted["rows"][0].as_py())


def open(path: str | Path) -> Lab:  # noqa: A001 - read as costlab.open
    """The lake at `path`; `"demo"` is a made-up cluster's, measured once and kept among the user's caches.

    Raises ConfigError when there is none, LakeError when it cannot be read.
    """
    return Lab(Lake.open(demo_lake() if str(path) == DEMO and not Path(path).exists() else located(path)))
