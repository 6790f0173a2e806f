"""When a night last succeeded, cluster by cluster: what a failed night must not forget."""

from collections.abc import Mapping

import orjson

from costlab.store import durable
from costlab.store.faults import translated
from costlab.store.place import Place

# Beside the tables. No reader of the lake needs it, and no backup has it.
FILE = "_successes.json"


def last_successes(lake: Place) -> dict[str, float]:
    """Seconds since 1970 by cluster; empty where no night has succeeded. Raises LakeError when they cannot be read."""
    path = lake / FILE
    with translated(path, "read"):
        text = path.read_bytes() if path.is_file() else b"{}"
    try:
        return {str(cluster): float(seconds) for cluster, seconds in orjson.loads(text).items()}
    except (ValueError, TypeError, AttributeError):  # somebody wrote into it; the next success writes it anew
        return {}


def remember(lake: Place, successes: Mapping[str, float]) -> None:
    """Keep these beside those of other clusters. Raises LakeError when they cannot be written."""
    if not successes:
        return
    with translated(lake / FILE):
        kept = last_successes(lake) | dict(successes)
        durable.write_atomically(lake / FILE, orjson.dumps(kept, option=orjson.OPT_SORT_KEYS))
