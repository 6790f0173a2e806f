"""`recommend_day` in a process of its own: what it took, and what came of it."""

import json
import sys
import time
from pathlib import Path

from charging.peer import peak_mib

from advising.world import CLUSTER, LAST
from costlab.config.settings import Settings
from costlab.jobs.rightsizing.recommend import recommend_day
from costlab.store.lake import Lake


def main() -> None:
    """Advise in the lake that the command line names, and print seconds, MiB and what was advised."""
    lake, settings = Lake.open(Path(sys.argv[1])), Settings.model_validate({})
    begun = time.perf_counter()
    with lake.locked():
        rows = recommend_day(lake, settings, CLUSTER, LAST).rows
    seconds = time.perf_counter() - begun
    advised = rows.num_rows - rows["proposed_request"].null_count
    print(json.dumps({"seconds": seconds, "peak_mib": peak_mib(), "rows": rows.num_rows, "advised": advised}))


if __name__ == "__main__":
    main()
