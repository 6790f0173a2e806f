"""What a rule says for each subject and day, put together: its figures, or the reason why there are none."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costlab.core.arrays import Floats, Ints
from costlab.core.rightsizing.policy import REASONS, Advised
from costlab.domain.advice import Reason


@dataclass(frozen=True, slots=True)
class Proposed:
    """What a rule makes of one resource; arrays (days, subjects).

    request, limit: float64, cores or bytes, NaN and infinity as in `Advised`. reason: int8, as there.
    """

    request: Floats
    limit: Floats
    reason: NDArray[np.int8]


def proposed(
    request: Floats,
    limit: Floats | None,
    points: Ints,
    autoscaled: NDArray[np.bool_],
    *,
    allow_hpa: bool,
    points_required: int = 1,
) -> Proposed:
    """The figures where there were points enough and no autoscaler, else the reason.

    limit: None = the rule has no say in limits. points: int64 (days, subjects), how many were observed.
    autoscaled: bool (subjects,), or by day as well.
    """
    reason = np.zeros(points.shape, np.int8)
    reason[np.broadcast_to(autoscaled & (not allow_hpa), reason.shape)] = REASONS.index(Reason.HPA_MANAGED)
    reason[points < points_required] = REASONS.index(Reason.TOO_LITTLE_DATA)
    reason[points == 0] = REASONS.index(Reason.NOT_OBSERVED)
    said = reason == 0
    return Proposed(
        np.where(said, request, np.nan), np.where(said, np.nan if limit is None else limit, np.nan), reason
    )


def advised(cpu: Proposed, memory: Proposed) -> Advised:
    """The advice of a rule that promises no risk."""
    unknown = np.full(cpu.request.shape, np.nan)
    return Advised(
        cpu.request, cpu.limit, memory.request, memory.limit, unknown, unknown, cpu.reason, memory.reason
    )
