"""Starts nights of a small world in processes that it kills; nothing is imported or compiled more than once.

A line in: a lake's address, or `-` where it lies in the folder; the folder; after how many seconds to kill (`never`).
A line out: `killed`, or the exit code and the seconds.
"""

import os
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from small_world import AFTER, BEFORE, DAY, World

from costlab.config.settings import Settings
from costlab.domain.time import HOUR_MS
from costlab.jobs.due import Asked
from costlab.jobs.facts import observe_day
from costlab.jobs.nightly import nightly

DAYS = (DAY, DAY.next)
CLUSTER = "test"
NOW = datetime.fromtimestamp(DAYS[-1].window.end_ms / 1000, UTC) + timedelta(hours=12)


def world() -> World:
    """Two days of a node, with a pod that lives through both and one on each."""
    ends = AFTER + 24 * HOUR_MS
    noon = DAY.window.start_ms + 12 * HOUR_MS
    made = World().node(end_ms=ends)
    for name, start_ms, end_ms in (
        ("a", BEFORE, ends),
        ("b", BEFORE, noon),
        ("c", noon + 24 * HOUR_MS, ends),
    ):
        made.pod(name, start_ms=start_ms, end_ms=end_ms)
        made.use(name, start_ms=start_ms, end_ms=end_ms)
    return made


def settings_in(folder: Path, lake: str = "-") -> Settings:
    """Reports in a folder, and the lake too where it is not in a bucket."""
    told = {
        "lake": str(folder / "lake") if lake == "-" else lake, "report": {"out": str(folder / "reports")},
        "clusters": [{"id": CLUSTER, "prometheus": {"url": "http://127.0.0.1:9"}}],
    }  # fmt: skip
    return Settings.model_validate(told)


def night(settings: Settings, source: World) -> None:
    """One night that catches up both days."""
    nightly(settings, Asked(since=DAY), now=NOW, source_of=lambda *_: source, say=lambda _: None)


def main() -> None:
    """Until there are no more lines."""
    source = world()
    observe_day(source, settings_in(Path()), CLUSTER, DAY)  # kernels are compiled, and no thread was begun
    print("ready", flush=True)  # noqa: T201 - the other side waits for it
    for line in sys.stdin:
        lake, folder, delay = line.split()
        began = time.monotonic()
        child = os.fork()
        if not child:
            try:
                night(settings_in(Path(folder), lake), source)
            except BaseException as fault:  # noqa: BLE001 - whatever it was, it is not the other side's loop
                print(repr(fault), file=sys.stderr, flush=True)  # noqa: T201 - the test shows it
                os._exit(1)
            os._exit(0)
        if delay != "never":
            time.sleep(float(delay))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status)
        ended = "killed" if killed else f"{os.waitstatus_to_exitcode(status)} {time.monotonic() - began:.3f}"
        print(ended, flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
