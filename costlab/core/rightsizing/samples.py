"""What the containers of workloads used, stretch by stretch: what every rule is asked with, and scored against."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costlab.core.arrays import Floats, Ints, Singles


@dataclass(frozen=True, slots=True)
class Samples:
    """Observed usage. A *subject* is a container of a workload; its *replicas* are that container in each of its pods.

    subject: int64 (replicas,), rising from 0: the replicas of a subject stand together.
    offsets: int64 (replicas + 1,); replica r owns the stretches offsets[r]:offsets[r + 1], in the order of time.
    at_ms: int64 (n,), start of a stretch. lasted_ms: int64 (n,), its length, > 0.
    cpu_cores, memory_bytes: float32 (n,), constant over the stretch; NaN = not observed.
    """

    subject: Ints
    offsets: Ints
    at_ms: Ints
    lasted_ms: Ints
    cpu_cores: Singles
    memory_bytes: Singles

    @property
    def subjects(self) -> int:
        """How many containers of workloads there are."""
        return int(self.subject[-1]) + 1 if len(self.subject) else 0


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known of each subject beside its usage; every array in the order of its subjects.

    containers_in_pod: int64. cpu_autoscaled, memory_autoscaled: bool, a HorizontalPodAutoscaler scales the workload by
    that resource. daily_cost: float64, what a day of it costs, at prices of any currency, before the day that advice is
    for: how much a violation matters beside others; NaN = not known, None = of nobody. All of these (subjects,), or
    (days, subjects), as it stood before each day that advice is for.
    killed_subject: int64 (k,), killed_at_ms: int64 (k,), killed_limit_bytes: float64 (k,): each out-of-memory kill, with
    the limit in force (NaN = none known); those after the beginning of a day are not known on it.
    """

    containers_in_pod: Ints
    cpu_autoscaled: NDArray[np.bool_]
    memory_autoscaled: NDArray[np.bool_]
    killed_subject: Ints
    killed_at_ms: Ints
    killed_limit_bytes: Floats
    daily_cost: Floats | None = None

    @classmethod
    def nothing_known(cls, subjects: int) -> "Circumstances":
        """One container a pod, no autoscaler, no kill."""
        none = np.zeros(subjects, bool)
        no_kill = np.empty(0, np.int64)
        return cls(np.ones(subjects, np.int64), none, none, no_kill, no_kill, np.empty(0))


def joined(parts: Sequence[Samples]) -> Samples:
    """One after the other; their subjects are numbered through already."""
    if len(parts) == 1:
        return parts[0]
    ends = np.append(0, np.cumsum([part.offsets[-1] for part in parts]))
    each = list(zip(parts, ends, strict=False))
    return Samples(
        np.concatenate([part.subject for part in parts]),
        np.append(0, np.concatenate([part.offsets[1:] + before for part, before in each])),
        *(np.concatenate([getattr(part, name) for part in parts]) for name in Samples.__slots__[2:]),
    )
