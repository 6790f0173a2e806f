"""Lakes as an older costlab wrote them: by this one's own code, while some columns are not declared."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from costlab.domain.tables import TABLES
from costlab.domain.time import Day
from costlab.store.lake import PRUNED, Lake
from costlab.store.place import Place
from costlab.store.runs import Run
from costlab.store.schema import arrow_schema

Lacks = Mapping[str, Sequence[str]]


@contextmanager
def older_costlab(lacks: Lacks) -> Iterator[None]:
    """Inside the block these columns are not declared, by table."""
    now = dict(TABLES)
    try:
        for table, names in lacks.items():
            spec = now[table]
            TABLES[table] = replace(
                spec,
                columns=tuple(column for column in spec.columns if column.name not in names),
                sort=tuple(name for name in spec.sort if name not in names),
            )
        arrow_schema.cache_clear()
        yield
    finally:
        TABLES.update(now)
        arrow_schema.cache_clear()


def aged(
    lake: Lake, where: str | Place, lacks: Lacks, without: Sequence[str] = (), days: int | None = None
) -> Lake:
    """The first days of a lake, written again elsewhere by a costlab without these columns and without these tables."""
    runs = dict(list(lake.runs(lake.snapshots()["runs"]).items())[:days])
    held = {
        (key, table): lake.read(table, key[0], Day(key[1], lake.timezone)).drop_columns(list(lacks.get(table, ())))
        for key, run in runs.items()
        for table, files in run["files"].items()
        if table not in without and files != PRUNED
    }  # fmt: skip
    with older_costlab(lacks):
        old = Lake.create(where, lake.timezone)
        for (cluster, date), run in runs.items():
            day = Day(date, lake.timezone)
            rows = {table: of for (key, table), of in held.items() if key == (cluster, date)}
            put(old, cluster, day, rows, run, lacks)
    return Lake.open(where)


def put(lake: Lake, cluster: str, day: Day, tables: Mapping[str, pa.Table], run: Run, lacks: Lacks) -> None:
    """Commit a day as it would be inside `older_costlab`."""
    gone = ("content", "files", "versions", *lacks.get("runs", ()))
    told = {name: value for name, value in run.items() if name not in gone}
    with lake.replacing(cluster, day, tables) as written:
        lake.commit_run(cluster, day, told, written)


def contents(lake: Lake) -> dict[Any, dict[str, str]]:
    """The hash of every table's rows on every day, as `runs` tells it."""
    return {key: run["content"] for key, run in lake.runs(lake.snapshots()["runs"]).items()}


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of a lake but what locks it."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.parent != folder
    }
