"""A lake that an older costlab wrote: which days of which tables lack columns, and their rows with what stands for those.

`widen` gives the tables their columns, then each day is written anew, then `settle` ends it. Whatever ends it before that,
the tables say which columns some of their files still lack, so that readers read on and the next run goes on.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from costlab.domain.errors import LakeError
from costlab.domain.tables import PARTITION, TABLES
from costlab.domain.time import Day
from costlab.store.columns import refuse_unfillable
from costlab.store.content import content_hash
from costlab.store.delta import DeltaFolder
from costlab.store.lake import PRUNED, READABLE, Lake
from costlab.store.opened import Key, Snapshot
from costlab.store.place import Place
from costlab.store.reading import absent_from, readable
from costlab.store.rows import OnDisk, Rows, StoredRows, batches
from costlab.store.runs import Run
from costlab.store.schema import arrow_schema, conform, empty

STREAMED = ("container_usage", "gpu_usage")  # one file a day, in the declared order, too large for memory
WHOLE = "*"  # in the place of columns: the whole table
_NAMED = 5
_READABLE = [state.value for state in READABLE]


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to be written anew. columns: what each table lacks; days: the tables of each day that `runs` vouches for.

    missing: the tables that days lack as a whole; loose: days of rows that no run vouches for, such as imported bills;
    runs: the days whose `runs` row lacks columns.
    """

    columns: Mapping[str, frozenset[str]]
    days: Mapping[Key, tuple[str, ...]]
    missing: Mapping[Key, tuple[str, ...]]
    loose: Mapping[str, tuple[Key, ...]]
    runs: tuple[Key, ...]


def plan(lake: Lake, expected: Sequence[str]) -> Plan:
    """What has to be written anew; expected: the tables that each charged day has.

    Raises LakeError when columns cannot be unknown, or rows are not those that `runs` vouches for: a hash that is taken
    anew would hide that. Nothing was written then.
    """
    columns = lake.older()
    refuse_unfillable(columns)
    snapshots = lake.snapshots()
    runs = lake.runs(snapshots["runs"])
    days: dict[Key, list[str]] = {}
    loose: dict[str, list[Key]] = {}
    damaged = []
    for table in columns.keys() - {"runs"}:
        snapshot = snapshots[table]
        named = {where for where, run in runs.items() if table in run["content"]}
        for where in sorted(snapshot.files.keys() | named):
            run, files = runs.get(where), _listed(lake, table, where, snapshot)
            if run and run["files"].get(table) == PRUNED:
                continue
            if run is None or table not in run["content"]:
                loose.setdefault(table, []).append(where)
                continue
            hashed = columns_hashed_without(lake, table, where, files, columns[table], run["content"][table])
            if hashed is None and _stands(run, table, where, snapshot):
                damaged.append(f"{table} of {where[0]} {where[1]}")
            elif hashed is None:
                loose.setdefault(table, []).append(where)  # a run broke off: no reader sees it
            elif hashed:
                days.setdefault(where, []).append(table)
    _refuse_damaged(damaged)
    missing = {where: tables for where, run in runs.items() if (tables := tuple(_missing(run, expected)))}
    return Plan(
        columns,
        {where: tuple(sorted(tables)) for where, tables in sorted(days.items())},
        missing,
        {table: tuple(of) for table, of in loose.items()},
        tuple(runs) if "runs" in columns else (),
    )


def widen(lake: Lake, columns: Mapping[str, frozenset[str]]) -> None:
    """The tables have the columns, and `runs` has them in every row; the rows of the others follow day by day.

    Raises what a write raises.
    """
    for table in sorted(columns, key=lambda table: table != "runs"):
        snapshot = DeltaFolder(lake.path, table).widen()
        if table == "runs" and snapshot.files:
            runs = lake.runs(snapshot)
            for run in runs.values():
                run["unrecorded"] = noted(run["unrecorded"], "runs", columns["runs"] - {"unrecorded"}) or None
            names = next(iter(runs.values())).keys()
            rows = {name: [run[name] for run in runs.values()] for name in names}
            keys = {"cluster": [cluster for cluster, _ in runs], "date": [day for _, day in runs]}
            DeltaFolder(lake.path, "runs").replace_days(list(runs), conform("runs", {**keys, **rows}))


def settle(lake: Lake, columns: Mapping[str, frozenset[str]]) -> None:
    """No file lacks a column any more. Raises what a write raises."""
    for table in sorted(columns):
        DeltaFolder(lake.path, table).settle()


def noted(said: Mapping[str, str] | None, table: str, columns: frozenset[str]) -> dict[str, str]:
    """What `runs.unrecorded` says, with these columns of a table beside those that it names."""
    named = dict(said or {})
    if columns:
        there = named[table].split(",") if table in named else ()
        named[table] = ",".join(sorted({*there, *columns}))
    return dict(sorted(named.items()))


def all_stand(lake: Lake, run: Run, where: Key, tables: Sequence[str]) -> bool:
    """Whether a day's files of these tables are those that its `runs` row lists; retention may have deleted some."""
    return all(
        table in run["files"] and _stands(run, table, where, DeltaFolder(lake.path, table).snapshot())
        for table in tables
    )


def filled(lake: Lake, table: str, where: Key, room_of: Callable[[str], OnDisk]) -> Rows:
    """The rows of a day with NaN or null for what they were written without. Raises LakeError."""
    day = Day(where[1], lake.timezone)
    held = lake.filed(table, where[0], day)
    if table not in STREAMED or len(held.files) != 1:
        return lake.read(table, where[0], day)
    room = room_of(table)
    names = [name for name in TABLES[table].column_names if name not in PARTITION]
    for part in batches(held, names):
        room.add(_keyed(part, table, where))
    return room.rows()


def columns_hashed_without(
    lake: Lake, table: str, where: Key, files: Sequence[Place], lacks: frozenset[str], content: str
) -> frozenset[str] | None:
    """The columns without which the rows of a day have the hash that was taken of them; None when none explains it.

    A file may have columns that its hash was taken without, when a migration was killed between the two. Of no rows the
    hash says nothing: it is renewed all the same. Raises LakeError when a file cannot be read.
    """
    if not files:
        return frozenset() if content == content_hash(empty(table)) else lacks
    with readable(table):
        absent = frozenset[str]().union(*(absent_from(file, lacks) for file in files))
    for without in dict.fromkeys((absent, lacks)):
        if content_hash(_rows(lake, table, where, files, without)) == content:
            return without
    return None


def without_columns(rows: pa.Table, columns: frozenset[str]) -> pa.Table:
    """The rows as they were written when there were no such columns."""
    return rows.drop_columns(sorted(columns & set(rows.column_names)))


def _rows(lake: Lake, table: str, where: Key, files: Sequence[Place], without: frozenset[str]) -> Rows:
    if table in STREAMED and len(files) == 1:
        return StoredRows(table, *where, files[0], without)
    return without_columns(lake.read(table, where[0], Day(where[1], lake.timezone)), without)


def _keyed(part: pa.Table, table: str, where: Key) -> pa.Table:
    """Rows as they are in a file, with the partition that its folder names, as declared."""
    schema = arrow_schema(table)
    for name, value in zip(PARTITION, where, strict=True):
        part = part.append_column(name, pa.repeat(pa.scalar(value, schema.field(name).type), part.num_rows))
    return part.select(schema.names).cast(schema)


def _listed(lake: Lake, table: str, where: Key, snapshot: Snapshot) -> list[Place]:
    return [lake.path / table / file for file in snapshot.files.get(where, ())]


def _stands(run: Run, table: str, where: Key, snapshot: Snapshot) -> bool:
    """Whether the day's files are those that `runs` lists."""
    return bool(run["files"][table] == "\n".join(snapshot.files.get(where, ())))


def _missing(run: Run, expected: Sequence[str]) -> Iterator[str]:
    """Tables that were declared after a day was charged."""
    if run["status"] in _READABLE and run["files"].get("charges", PRUNED) != PRUNED:
        yield from (table for table in expected if table not in run["content"])


def _refuse_damaged(damaged: Sequence[str]) -> None:
    if damaged:
        more = f" and {len(damaged) - _NAMED:,} more" if len(damaged) > _NAMED else ""
        raise LakeError(
            f"rows are not those that were written: {', '.join(sorted(damaged)[:_NAMED])}{more}; nothing was migrated",
            "costlab doctor --files names each fault; measure those days again with the costlab that wrote them, or "
            "bring them back with costlab restore",
        )
