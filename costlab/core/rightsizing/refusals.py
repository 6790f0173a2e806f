"""What a rule says for each subject and day, put together: its figures, or the reason why there are none."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costlab.core.kernels import Floats, Ints
from costlab.core.rightsizing.policy import REASONS, Advised
from costlab.domain.advice import Reason


@dataclass(frozen=True, slots=True)
class Proposed:
    """What a rule makes of one resource; arrays (days, subjects).

    request, limit: float64, cores or bytes. reason: int8, as in `Advised`; where there is one, the figures do not count.
    """

    request: Floats
    limit: Floats
    reason: NDArray[np.int8]


def reasons(
    points: Ints, required: int, autoscaled: NDArray[np.bool_], *, allow_hpa: bool
) -> NDArray[np.int8]:
    """Why nothing can be advised, (days, subjects): no points, fewer than required, or an autoscaler; 0 = it can.

    points: int64 (days, subjects), how many were observed. autoscaled: bool (subjects,).
    """
    found = np.zeros(points.shape, np.int8)
    found[np.broadcast_to(autoscaled & (not allow_hpa), points.shape)] = REASONS.index(Reason.HPA_MANAGED)
    found[points < required] = REASONS.index(Reason.TOO_LITTLE_DATA)
    found[points == 0] = REASONS.index(Reason.NOT_OBSERVED)
    return found


def advised(cpu: Proposed, memory: Proposed) -> Advised:
    """The advice of a rule that promises no risk."""
    cpu_request, cpu_limit, memory_request, memory_limit = (
        np.where(resource.reason == 0, value, np.nan)
        for resource in (cpu, memory)
        for value in (resource.request, resource.limit)
    )
    unknown = np.full(cpu.request.shape, np.nan)
    return Advised(
        cpu_request, cpu_limit, memory_request, memory_limit, unknown, unknown, cpu.reason, memory.reason
    )
