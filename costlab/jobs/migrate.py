"""Bring a lake that an older costlab wrote to this version: a commit a day, and nothing that it says changes."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from costlab.config.settings import Settings
from costlab.domain.errors import ConfigError, ReconcileError
from costlab.domain.time import Day
from costlab.jobs.commit import facts_of
from costlab.jobs.facts import OBSERVED
from costlab.jobs.measure import price
from costlab.render import figures
from costlab.store.content import content_hash
from costlab.store.lake import Lake
from costlab.store.migration import (
    WHOLE,
    Plan,
    all_stand,
    filled,
    noted,
    plan,
    settle,
    widen,
    without_columns,
)
from costlab.store.opened import Key
from costlab.store.rows import Rows
from costlab.store.runs import Run
from costlab.store.schema import empty

MADE = ("charges", "profiles", "demand")  # of what was observed, and of prices
EXPECTED = (*OBSERVED, *MADE, "findings")

_SHAPE = pa.schema(
    [
        ("table", pa.string()),
        ("column", pa.string()),
        ("days", pa.int64()),
        ("known_days", pa.int64()),
        ("unknown_days", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True)
class _Filled:
    """The rows of a day that are to be written, and the columns of them that stay unknown, by table."""

    tables: Mapping[str, Rows]
    unknown: Mapping[str, frozenset[str]]


def migrate(
    lake: Lake, settings: Settings, *, dry_run: bool, step: Callable[[str], None] = lambda _: None
) -> tuple[pa.Table, str]:
    """Give every day the columns and tables that it lacks: a row a column, and one sentence.

    Killed at any moment it is gone on with by the next. Raises Busy when another run is in the lake; LakeError, before
    anything is written, when a column cannot be unknown or rows are not those that were written; and what a write raises.
    """
    with lake.locked(older=True):
        planned = plan(lake, EXPECTED)
        days = sorted({*planned.days, *planned.missing})
        unknown: dict[Key, Mapping[str, frozenset[str]]] = {}
        if not dry_run:
            widen(lake, planned.columns)
            runs = lake.runs(lake.snapshots()["runs"])
            for number, (cluster, date) in enumerate(days, 1):
                step(f"{cluster} {date}, {number} of {len(days)}")
                day = Day(date, lake.timezone)
                unknown[cluster, date] = _migrate_day(
                    lake, settings, planned, cluster, day, runs[cluster, date]
                )
            _fill_loose(lake, planned)
            settle(lake, planned.columns)
    verb = "would be written" if dry_run else "written"
    told = (
        f"{verb}: {figures.counted(len(days), 'day')}"
        if planned.columns or days
        else "the lake is of this version already"
    )
    return pa.Table.from_pylist(_rows(planned, None if dry_run else unknown), _SHAPE), told


def _migrate_day(
    lake: Lake, settings: Settings, planned: Plan, cluster: str, day: Day, before: Run
) -> Mapping[str, frozenset[str]]:
    """Write what a day lacks, `runs` last; the columns of it that stay unknown, by table."""
    where = (cluster, day.date)
    with lake.observing(cluster, day) as room_of:
        held = {table: filled(lake, table, where, room_of) for table in planned.days.get(where, ())}
        made = _made_anew(lake, settings, planned, cluster, day, before)
        done = _filled(held, made, planned, where)
        run = {name: value for name, value in before.items() if name not in ("content", "files", "versions")}
        run["unrecorded"] = _said(before, done.unknown)
        with lake.replacing(cluster, day, done.tables, before) as written:
            lake.commit_run(cluster, day, run, written, before)
    return done.unknown


def _filled(held: Mapping[str, Rows], made: Mapping[str, Rows], planned: Plan, where: Key) -> _Filled:
    """What was made anew, where it agrees with what is there in every other column; else what is there, and unknown."""
    tables: dict[str, Rows] = {}
    unknown: dict[str, frozenset[str]] = {}
    for table, rows in held.items():
        anew, lacks = made.get(table), planned.columns[table]
        if isinstance(anew, pa.Table) and isinstance(rows, pa.Table) and _agree(anew, rows, lacks):
            tables[table] = anew
        else:
            tables[table] = rows
            if rows.num_rows:
                unknown[table] = lacks
    for table in planned.missing.get(where, ()):
        tables[table] = made.get(table, empty(table))
        if table not in made:
            unknown[table] = frozenset({WHOLE})
    return _Filled(tables, unknown)


def _agree(anew: pa.Table, held: pa.Table, lacks: frozenset[str]) -> bool:
    """Whether today's prices, owners and methods give the rows that are there, but for the columns that they lack."""
    return content_hash(without_columns(anew, lacks)) == content_hash(without_columns(held, lacks))


def _made_anew(
    lake: Lake, settings: Settings, planned: Plan, cluster: str, day: Day, run: Run
) -> Mapping[str, Rows]:
    """The tables that are made of others, made of what the lake holds; none where that is gone, or was not recorded in full."""
    where = (cluster, day.date)
    lacking = [
        table for table in MADE if table in (*planned.days.get(where, ()), *planned.missing.get(where, ()))
    ]
    partly = {*planned.columns, *planned.missing.get(where, ()), *(run["unrecorded"] or ())}
    if not lacking or partly & {*OBSERVED, "bills"} or not all_stand(lake, run, where, OBSERVED):
        return {}
    try:
        facts = facts_of(lake, cluster, day, run)
        tables = price(facts, settings, cluster, day, lake.read("bills", cluster, day)).tables
    except (ConfigError, ReconcileError):  # today's prices do not fit the day: what is there stays as it is
        return {}
    return {table: tables[table] for table in lacking}


def _said(before: Run, unknown: Mapping[str, frozenset[str]]) -> dict[str, str] | None:
    """What `runs` tells of a day: what it told before, and the columns that stay unknown."""
    said = dict(before["unrecorded"] or {})
    for table, columns in unknown.items():
        said = noted(said, table, columns)
    return said or None


def _fill_loose(lake: Lake, planned: Plan) -> None:
    """Rows that no run vouches for have the columns as well, so that every file has them."""
    for table, wheres in planned.loose.items():
        for cluster, date in wheres:
            day = Day(date, lake.timezone)
            with lake.observing(cluster, day) as room_of:
                lake.write(table, cluster, day, filled(lake, table, (cluster, date), room_of))


def _rows(planned: Plan, unknown: Mapping[Key, Mapping[str, frozenset[str]]] | None) -> list[dict[str, Any]]:
    """A row a column that was lacking: on how many days, and on how many of them it stays unknown.

    It is known where it was made anew, and where there are no rows.
    """
    vouched = [(where, table, column) for where, tables in planned.days.items() for table in tables
               for column in planned.columns[table]]  # fmt: skip
    vouched += [(where, table, WHOLE) for where, tables in planned.missing.items() for table in tables]
    loose = [*planned.loose.items(), ("runs", planned.runs)]
    days = Counter((table, column) for _, table, column in vouched)
    for table, wheres in loose:
        days.update({(table, column): len(wheres) for column in planned.columns.get(table, ())})
    if unknown is None:
        return [_row(*named, count, None) for named, count in sorted(days.items())]
    made = Counter(
        (table, column) for where, table, column in vouched if column not in unknown[where].get(table, ())
    )
    made["runs", "unrecorded"] = days[
        "runs", "unrecorded"
    ]  # nothing was told of the days, and nothing is to be
    return [_row(*named, count, made[named]) for named, count in sorted(days.items()) if count]


def _row(table: str, column: str, days: int, made: int | None) -> dict[str, Any]:
    stays = None if made is None else days - made
    return {"table": table, "column": column, "days": days, "known_days": made, "unknown_days": stays}
