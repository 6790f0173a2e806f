"""Entries of a log that a power cut has torn: which they are, whether a day rests on them, and where they are kept.

Delta Lake gives an entry its name before it is on the disk. It is there before `runs` vouches for its day, and before any
command says that it is done: what the newest entries of a log tell, where they are torn, was never told as done.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq

from costlab.domain.errors import LakeError
from costlab.domain.tables import TABLES
from costlab.store import durable
from costlab.store.faults import translated
from costlab.store.log import ENTRIES, LOG, actions
from costlab.store.place import Place, found
from costlab.store.reading import readable

FOLDER = "_torn"  # in the lake, where no reader looks
_COUNTED = {"add": "num_added_files", "remove": "num_removed_files"}  # what an entry says first that it lists


@dataclass(frozen=True, slots=True)
class Torn:
    """The torn entries at the end of a table's log, the oldest first. needed: what rests on them; empty when nothing does."""

    table: str
    entries: tuple[Path, ...]
    needed: str

    @property
    def fault(self) -> LakeError:
        """What is to be done about it, for who takes nothing away."""
        first = self.entries[0]
        if self.needed:
            return LakeError(
                f"{first} is torn, and {self.needed}",
                "bring the lake back elsewhere with costlab restore, from before it was damaged",
            )
        return LakeError(
            f"{first} is torn, as a power cut leaves the newest entry of a log; no day that was done rests on it",
            "run costlab nightly: it moves that file aside, and measures its day again",
        )


def refuse(torn: Sequence[Torn]) -> None:
    """Raise LakeError when there are any."""
    for each in torn:
        raise each.fault


def set_aside(torn: Sequence[Torn], say: Callable[[str], None]) -> None:
    """The entries are where no reader looks, and the tables as they were before them; a line of each table.

    Raises LakeError, before anything is moved where something rests on one of them.
    """
    refuse([each for each in torn if each.needed])
    for each in torn:
        kept = [_kept(entry) for entry in reversed(each.entries)]  # so that the rest is still at the end
        versions = ", ".join(str(int(entry.stem)) for entry in each.entries)
        say(
            f"{each.table}: a power cut has torn the end of its log, entry {versions}; no day that was done rests on it, "
            f"and it is kept in {kept[0].parent}"
        )


def torn_entries(lake: Place, tables: Iterable[str] = TABLES) -> list[Torn]:
    """Those of a lake on this machine's disk: what a bucket has taken is whole. Raises LakeError."""
    if not isinstance(lake, Path):
        return []
    with translated(lake, "read"):
        tails = {table: tail for table in tables if (tail := _tail(lake / table / LOG))}
        vouched = _vouched(lake) if tails.keys() - {"runs"} else {}
        return [
            Torn(table, tuple(tail), _needed(lake / table / LOG, tail, vouched.get(table, {})))
            for table, tail in tails.items()
        ]


def _tail(log: Path) -> list[Path]:
    """The torn entries that no whole one follows, the oldest first."""
    tail: list[Path] = []
    for entry in sorted(log.glob(ENTRIES), reverse=True):
        if _actions(entry) is not None:
            break
        tail.insert(0, entry)
    return tail


def _actions(entry: Path) -> list[dict[str, Any]] | None:
    """What an entry says; None when it does not say all that it was to say. Raises OSError."""
    try:
        said = actions(entry)
    except orjson.JSONDecodeError:
        return None
    if not said or not all(isinstance(action, dict) for action in said):
        return None
    # One may be cut between two lines: the library would read it without a word.
    told = next(
        (action["commitInfo"].get("operationMetrics") for action in said if "commitInfo" in action), None
    )
    for kind, counted in _COUNTED.items():
        count = (told or {}).get(counted)
        if isinstance(count, int) and sum(kind in action for action in said) < count:
            return None
    return said


def _needed(log: Path, tail: Sequence[Path], vouched: Mapping[str, str]) -> str:
    """Why the last entries cannot go. vouched: the day of each file that `runs` lists."""
    whole = sorted(log.glob(ENTRIES))[: -len(tail)]
    first = int(tail[0].stem)
    if first != len(whole):
        return f"{log} lacks entries before it"
    if any(int(held.name[:20]) >= first for held in log.glob("[0-9]" * 20 + ".checkpoint*")):
        return "a checkpoint holds what it says"
    added = {action["add"]["path"] for entry in whole for action in _actions(entry) or () if "add" in action}
    days = sorted({day for file, day in vouched.items() if file not in added})
    return f"`runs` vouches for what it says of {days[0]}" if days else ""


def _vouched(lake: Path) -> dict[str, dict[str, str]]:
    """The files of each table that a row of `runs` lists, as far as its log is whole, and the day of the row."""
    log = lake / "runs" / LOG
    entries = sorted(log.glob(ENTRIES))
    rows: set[str] = set()
    for entry in entries[: len(entries) - len(_tail(log))]:
        said = _actions(entry) or ()
        rows -= {action["remove"]["path"] for action in said if "remove" in action}
        rows |= {action["add"]["path"] for action in said if "add" in action}
    vouched: dict[str, dict[str, str]] = defaultdict(dict)
    for row in sorted(rows):
        day = " ".join(part.partition("=")[2] for part in row.split("/")[:2])
        with readable("runs"):
            lists = pq.read_table(lake / "runs" / row, columns=["files"], partitioning=None)["files"]
        for table, listed in (pair for pairs in lists.to_pylist() for pair in pairs):
            # Of what was deleted because of its age a word stands there.
            files = [file for file in listed.splitlines() if file.startswith("cluster=")]
            vouched[table] |= dict.fromkeys(files, day)
    return vouched


def _kept(entry: Path) -> Path:
    """An entry in its place aside, beside those of its name that were torn before."""
    _, table, lake = entry.parents[:3]
    folder = lake / FOLDER / table.name
    with translated(entry):
        made = durable.make_folder(folder)
        there = len(found(folder, f"{entry.stem}*"))
        kept = folder / (f"{entry.stem}.{there}.json" if there else entry.name)
        entry.rename(kept)
        for changed in (folder, *(each.parent for each in made), entry.parent):
            durable.sync_folder(changed)
    return kept
