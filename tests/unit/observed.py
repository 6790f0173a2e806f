"""Usage of containers, as the rules for requests are asked with it."""

from collections.abc import Sequence

import numpy as np

from costlab.core.arrays import Floats, Ints
from costlab.core.rightsizing.policy import Advised, Policy
from costlab.core.rightsizing.samples import Circumstances, Samples

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
MIB, GIB = 2**20, 2**30
TODAY_MS = 20_000 * DAY_MS
"""A midnight, at which advice comes into force."""


Replica = tuple[Ints, Floats, Floats]


def replica(
    cores: Sequence[float] | Floats, memory_bytes: Sequence[float] | Floats, step_ms: int = MINUTE_MS
) -> Replica:
    """One container's stretches up to the day of the advice, each as long as `step_ms`."""
    at_ms = TODAY_MS - step_ms * np.arange(len(cores), 0, -1, dtype=np.int64)
    return at_ms, np.asarray(cores, np.float64), np.asarray(memory_bytes, np.float64)


def one_subject(*replicas: Replica, lasted_ms: int = MINUTE_MS) -> Samples:
    """The samples of a container of one workload, in these pods."""
    at_ms, cores, memory = (np.concatenate(column) for column in zip(*replicas, strict=True))
    return Samples(
        np.zeros(len(replicas), np.int64),
        np.concatenate([[0], np.cumsum([len(times) for times, _, _ in replicas])]).astype(np.int64),
        at_ms,
        np.full(len(at_ms), lasted_ms, np.int64),
        cores.astype(np.float32),
        memory.astype(np.float32),
    )


def advice(policy: Policy, samples: Samples, circumstances: Circumstances | None = None) -> Advised:
    """What the rule says at that midnight of one subject."""
    known = circumstances or Circumstances.nothing_known(samples.subjects)
    return policy.advise(samples, known, np.array([TODAY_MS], np.int64))


def killed(*limits_bytes: float, hours_ago: float = 1.0) -> Circumstances:
    """Nothing is known but that the container was killed at these limits, one minute after another."""
    count = len(limits_bytes)
    first_ms = TODAY_MS - int(hours_ago * HOUR_MS)
    return Circumstances(
        np.ones(1, np.int64), np.zeros(1, bool), np.zeros(1, bool), np.zeros(count, np.int64),
        first_ms + MINUTE_MS * np.arange(count, dtype=np.int64), np.array(limits_bytes, np.float64),
    )  # fmt: skip
