"""The hash of rows that no row of `runs` vouches for, its own among them: the log's entry that adds them tells it."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import orjson
import pyarrow.compute as pc

from costlab.domain.tables import IMPORTED
from costlab.store.content import content_hash
from costlab.store.rows import Rows, StoredRows

BY_THEMSELVES = frozenset({"runs", *IMPORTED})
_TOLD = "costlab.content"  # in the entry's commitInfo: JSON, the hash by cluster and day


def told_of(table: str, days: Iterable[tuple[str, date]], rows: Rows) -> dict[str, str]:
    """What a commit of these days tells of its rows; nothing where `runs` does."""
    if table not in BY_THEMSELVES or isinstance(rows, StoredRows):
        return {}
    hashes = {
        f"{cluster} {day}": content_hash(
            rows.filter((pc.field("cluster") == cluster) & (pc.field("date") == day))
        )
        for cluster, day in days
    }
    return {_TOLD: orjson.dumps(hashes).decode()}


def hashes_in(actions: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The hash of the rows in each file that an entry adds, as far as it tells one."""
    told: dict[str, str] = {}
    added: dict[str, str] = {}
    for action in actions:
        if "commitInfo" in action:
            told = orjson.loads(action["commitInfo"].get(_TOLD, "{}"))
        elif "add" in action:
            values = action["add"]["partitionValues"]
            added[action["add"]["path"]] = f"{values['cluster']} {values['date']}"
    return {path: told[of] for path, of in added.items() if of in told}
