"""The folder of a benchmark's made-up lakes: kept for the next time, while lakes have the tables that they had."""

import os
import shutil
from hashlib import sha256
from pathlib import Path

from costlab.domain.tables import TABLES


def kept(name: str, otherwise: Path, *sources: Path) -> Path:
    """A folder in $COSTLAB_BENCH_DIR, else in another one; anew when a table or one of the sources has changed."""
    told = repr(TABLES).encode() + b"".join(source.read_bytes() for source in sources)
    under = Path(os.environ.get("COSTLAB_BENCH_DIR", otherwise))
    folder = under / f"{name}-{sha256(told).hexdigest()[:12]}"
    for outdated in set(under.glob(f"{name}-*")) - {folder}:
        shutil.rmtree(outdated)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
