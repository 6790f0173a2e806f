"""What a rule is: past samples in, advice for a day out."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from costlab.core.arrays import Floats, Ints
from costlab.core.rightsizing.samples import Circumstances, Samples
from costlab.domain.advice import Reason


@dataclass(frozen=True, slots=True)
class Advised:
    """What a rule advises for each of some days and each subject; arrays (days, subjects).

    cpu_request, cpu_limit: float64, cores. memory_request, memory_limit: float64, bytes. NaN = no advice, and then the
    reason says why; a limit of infinity = none is to be set. A limit that is NaN beside a request = the rule has no say
    in limits.
    cpu_risk, memory_risk: float64, the promised share of container-days with a violation; NaN = the rule promises none.
    cpu_reason, memory_reason: int8, an index into `REASONS`; 0 where there is advice.
    """

    cpu_request: Floats
    cpu_limit: Floats
    memory_request: Floats
    memory_limit: Floats
    cpu_risk: Floats
    memory_risk: Floats
    cpu_reason: NDArray[np.int8]
    memory_reason: NDArray[np.int8]


# What the codes of `Advised` stand for.
REASONS: tuple[Reason, ...] = tuple(Reason)


class Policy(Protocol):
    """A rule for requests, by its name."""

    @property
    def name(self) -> str:
        """As `--policy` takes it."""
        ...

    def advise(self, samples: Samples, circumstances: Circumstances, days_ms: Ints) -> Advised:
        """Advice to be in force from each of these instants (midnights, int64 (days,), rising) on.

        Nothing that is known only after that instant is used: a stretch counts up to it.
        """
        ...
