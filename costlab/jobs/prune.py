"""Retention: which days of which table are too old, and what deleting them frees."""

from datetime import date, datetime
from typing import Any

import pyarrow as pa

from costlab.config.settings import Settings
from costlab.domain.tables import IMPORTED
from costlab.domain.time import Day, milliseconds
from costlab.render import figures
from costlab.store.lake import Lake
from costlab.store.opened import Key
from costlab.store.pruning import delete, old_days, old_posts, prune_days, spent_files

_SHAPE = pa.schema(
    [
        ("table", pa.string()),
        ("cluster", pa.string()),
        ("days", pa.int64()),
        ("first", pa.string()),
        ("last", pa.string()),
        ("files", pa.int64()),
        ("bytes", pa.int64()),
    ]
)


def prune(lake: Lake, settings: Settings, now: datetime, *, dry_run: bool) -> tuple[pa.Table, str]:
    """Delete what is older than `retention`: a row a table and cluster, and one sentence about the files.

    Rows go at once, their files when no reader can hold them any more. Raises Busy when another run is in the lake;
    LakeError.
    """
    now_ms = milliseconds(now)

    def expired(table: str, where: Key) -> bool:
        keep_ms = kept_ms(settings, table)
        return keep_ms is not None and Day(where[1], lake.timezone).window.end_ms + keep_ms <= now_ms

    def past(day: date) -> bool:
        keep_ms = posts_kept_ms(settings)
        return keep_ms is not None and Day(day, lake.timezone).window.end_ms + keep_ms <= now_ms

    with lake.locked():
        old, spent = old_days(lake, expired), spent_files(lake, now_ms)
        posts = old_posts(lake, past)
        spent_bytes = sum(file.stat().st_size for file in spent)
        if not dry_run:
            delete(posts)
            delete(spent)  # first: on a full disk it makes the room that writing needs
            prune_days(lake, expired)
    rows: list[dict[str, Any]] = [
        {
            "table": part.table, "cluster": part.cluster, "days": len(part.days),
            "first": part.days[0].isoformat(), "last": part.days[-1].isoformat(),
            "files": part.files, "bytes": part.size_bytes,
        }
        for part in old
    ]  # fmt: skip
    verb = "would be deleted" if dry_run else "deleted"
    told = f"{verb}: {figures.counted(len(spent), 'file')}, {spent_bytes / 2**20:,.1f} MiB, that left the tables more than 3 days ago"
    if posts:
        told += f", and what was remembered of {figures.counted(len(posts), 'post')}"
    return pa.Table.from_pylist(rows, _SHAPE), told


def posts_kept_ms(settings: Settings) -> int | None:
    """How long it is remembered that a day was posted: as long as its charges stay, and what was told is no news."""
    charges_ms = kept_ms(settings, "charges")
    cooldowns_ms = [destination.cooldown_ms for destination in settings.notify]
    return None if charges_ms is None else max(charges_ms, *cooldowns_ms, 0)


def kept_ms(settings: Settings, table: str) -> int | None:
    """How long a table's rows stay after their day; None: for ever. A day does not outlive its charges, a bill does."""
    own = settings.retention.get(table)
    whole = None if table in IMPORTED else settings.retention.get("charges")
    if table == "runs":
        return None
    return min((length for length in (own, whole) if length is not None), default=None)
