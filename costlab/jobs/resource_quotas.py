"""What ResourceQuotas allow, and how much of it Kubernetes itself counts as used."""

import numpy as np
import pyarrow as pa

from costlab.domain.signals import Labels, Signal
from costlab.domain.time import Day, Window
from costlab.jobs.levels import Run, runs_by
from costlab.jobs.reading import Reading
from costlab.store.schema import conform, empty

_Key = tuple[str, str, str, str]  # namespace, quota, resource, hard or used


def quotas_table(signals: Reading, cluster: str, day: Day, max_gap_ms: int) -> pa.Table:
    """Rows of `quotas`: every key that was told on the day, with the limit that was told last."""
    told = {
        key: within
        for key, runs in runs_by(signals, Signal.QUOTA, _key, max_gap_ms).items()
        if (within := _within(runs, day.window))
    }
    keys = sorted(key for key in told if key[3] == "hard")
    if not keys:
        return empty("quotas")
    used = [told.get((*key[:3], "used"), []) for key in keys]
    return conform(
        "quotas",
        {
            "cluster": cluster,
            "date": day.date,
            **{name: [key[i] for key in keys] for i, name in enumerate(("namespace", "quota", "resource"))},
            "hard": np.array([told[key][-1].value for key in keys], np.float64),
            "used_mean": np.array([_mean(runs) for runs in used], np.float64),
            "used_max": np.array([max((run.value for run in runs), default=np.nan) for runs in used]),
        },
    )


def _key(labels: Labels) -> _Key:
    namespace, quota, resource, kind = (
        labels.get(name, "") for name in ("namespace", "resourcequota", "resource", "type")
    )
    return namespace, quota, resource, kind


def _within(runs: list[Run], window: Window) -> list[Run]:
    """The parts of the runs that lie in the window."""
    cut = [Run(max(run.start_ms, window.start_ms), min(run.end_ms, window.end_ms), run.value) for run in runs]
    return [run for run in cut if run.start_ms < run.end_ms]


def _mean(runs: list[Run]) -> float:
    """The mean over the time in which it was told; NaN without any."""
    told_ms = sum(run.end_ms - run.start_ms for run in runs)
    worth = sum(run.value * (run.end_ms - run.start_ms) for run in runs)
    return worth / told_ms if told_ms else np.nan
