"""A small world of three days that workers measure, and switches beside its reports that make a day fail, stall or kill, or shut its server.

A module of its own: workers import it.
"""

import os
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "unit"))

from small_world import BEFORE, DAY, World

from costlab.config.settings import Settings
from costlab.domain.time import HOUR_MS, MINUTE_MS, Day, days_between
from costlab.jobs.crew import Order
from costlab.jobs.due import Asked
from costlab.jobs.nightly import nightly
from costlab.jobs.outcome import Outcome
from costlab.sources.prometheus.answer import BrokenOff

CLUSTER = "test"
DAYS = days_between(DAY, Day(DAY.date + timedelta(days=2)))
NOW = datetime.fromtimestamp(DAYS[-1].window.end_ms / 1000, UTC) + timedelta(hours=12)


@lru_cache(maxsize=1)
def world() -> World:
    """A node with two pods, of which one uses a little less each day: its advice rests on that of the day before."""
    when: dict[str, Any] = {"end_ms": DAYS[-1].window.end_ms + HOUR_MS, "step_ms": 5 * MINUTE_MS}
    made = World().node(**when)
    for pod in ("steady", "sinking"):
        made.pod(pod, requests={"cpu": 2.0, "memory": 4 * 2**30}, **when)
    made.use("steady", cpu=0.5, **when)

    def sinking(at_ms: int) -> float:
        return 2**30 * (1 - 0.04 * ((at_ms - BEFORE) // (24 * HOUR_MS)))

    return made.use("sinking", cpu=0.2, memory=sinking, **when)


def source(order: Order, _: Path) -> World:
    """The world, unless a switch says something else of the day."""
    switches = order.settings.report.out.parent
    if (switches / f"fails {order.day}").exists():
        raise BrokenOff(f"nothing is told of {order.day}", "ask somebody else", after_s=2.0)
    if (switches / f"shuts {order.day}").exists():
        shut = BrokenOff("the server lets nobody in", "ask somebody else")
        shut.every_day = True
        raise shut
    if (switches / f"kills {order.day}").exists():
        time.sleep(1.0)  # dask gives up a worker that dies while it starts
        os.kill(os.getpid(), signal.SIGKILL)
    stalls = switches / f"stalls {order.day}"
    if stalls.exists():
        (switches / f"stalled {os.getpid()}").touch()
    while stalls.exists():
        time.sleep(0.02)
    return world()


def settings_in(folder: Path, **more: Any) -> Settings:
    """Lake and reports in a folder; samples come every five minutes."""
    told = {
        "lake": str(folder / "lake"), "report": {"out": str(folder / "reports")},
        "clusters": [{"id": CLUSTER, "prometheus": {"url": "http://127.0.0.1:9"}}],
        "billing": {"max_gap": "10m"}, "rightsizing": {"min_days": 1}, **more,
    }  # fmt: skip
    return Settings.model_validate(told)


def night(settings: Settings, date: Day | None = None, **more: Any) -> Outcome:
    """A night that catches up all days, or measures one; by this process unless `crew` says who."""
    return nightly(
        settings,
        Asked(date, since=DAYS[0]),
        now=NOW,
        **{"source_of": lambda *_: world(), "say": lambda _: None, **more},
    )
