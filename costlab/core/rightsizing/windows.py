"""The past that advice looks at: windows that end when it comes into force, cut into segments that they share."""

from dataclasses import dataclass

import numpy as np

from costlab.core.arrays import Floats, Ints, Singles
from costlab.core.rightsizing.kernels.segments import segment_peaks
from costlab.core.rightsizing.samples import Circumstances, Samples

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Windows:
    """Segments edges_ms[s]:edges_ms[s + 1], and windows: w is the segments first[w]:last[w]. All int64.

    A stretch is of the segment in which it begins.
    """

    edges_ms: Ints
    first: Ints
    last: Ints

    @classmethod
    def rolling(cls, days_ms: Ints, history_ms: int) -> "Windows":
        """The `history_ms` before each of these instants."""
        edges_ms = np.unique(np.concatenate([days_ms - history_ms, days_ms]))
        return cls(
            edges_ms, np.searchsorted(edges_ms, days_ms - history_ms), np.searchsorted(edges_ms, days_ms)
        )

    @classmethod
    def since(cls, begin_ms: int, instants_ms: Ints, step_ms: int) -> "Windows":
        """All that was from `begin_ms` to each of these instants; segments are no longer than `step_ms`."""
        before_ms = min(begin_ms, int(instants_ms[0]) - 1)
        back = np.arange(instants_ms[-1], before_ms - step_ms, -step_ms)
        edges_ms = np.unique(np.concatenate([back, instants_ms]))
        return cls(edges_ms, np.zeros(len(instants_ms), np.int64), np.searchsorted(edges_ms, instants_ms))


def subject_offsets(samples: Samples) -> Ints:
    """Which replicas each subject has: s owns the replicas [s]:[s + 1]; int64 (subjects + 1,)."""
    return np.searchsorted(samples.subject, np.arange(samples.subjects + 1)).astype(np.int64)


def earliest(samples: Samples, offsets: Ints) -> int:
    """When the first of these replicas' stretches begins, ms; far off if they have none."""
    begun = offsets[:-1][offsets[:-1] < offsets[1:]]
    return int(samples.at_ms[begun].min()) if len(begun) else 2**62


def highest(samples: Samples, values: Singles, windows: Windows) -> tuple[Floats, Ints]:
    """The highest value that any replica of a subject had in each window, and how many were observed.

    Both (windows, subjects); NaN and 0 where nothing was.
    """
    top, points = segment_peaks(
        samples.subject, samples.offsets, samples.at_ms, values, windows.edges_ms, samples.subjects
    )
    pairs = list(zip(windows.first, windows.last, strict=True))
    shape = (len(pairs), samples.subjects)
    return (
        np.array([np.fmax.reduce(top[a:b], axis=0) for a, b in pairs]).reshape(shape),
        np.array([points[a:b].sum(axis=0) for a, b in pairs], np.int64).reshape(shape),
    )


def highest_killed(circumstances: Circumstances, days_ms: Ints, reach_ms: int, subjects: int) -> Floats:
    """The highest limit in force at a kill of at most `reach_ms` ago, float64 (days, subjects); NaN = there is none."""
    found = np.full((len(days_ms), subjects), np.nan)
    ago_ms = days_ms[:, None] - circumstances.killed_at_ms
    for day, kill in np.argwhere((ago_ms > 0) & (ago_ms <= reach_ms)):
        subject = circumstances.killed_subject[kill]
        found[day, subject] = np.fmax(found[day, subject], circumstances.killed_limit_bytes[kill])
    return found
