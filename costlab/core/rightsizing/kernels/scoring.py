"""What containers used above a request, and the mean of each step of a day."""

import numpy as np

from costlab.core._jit import kernel
from costlab.core.arrays import Floats, Ints, Singles


@kernel
def exceedances(
    days: Ints,
    at_ms: Ints,
    lasted_ms: Ints,
    cpu_cores: Singles,
    memory_bytes: Singles,
    requests: Floats,
    apart_ms: int,
) -> Floats:
    """What containers used above their requests, float64 (k, 7), of k container-days in the order of container and day.

    days: int64 (k, 5): container, the stretches first:last that may be of the day, and when it begins and ends, ms.
    requests: float64 (k, 2), cores and bytes; NaN is never exceeded.
    Columns: seconds in which memory was observed, seconds and episodes (what is less than `apart_ms` after the one
    before belongs to it) of memory above the request, the highest memory; seconds in which CPU was observed, those
    above the request, and the core-seconds above it.
    """
    found = np.zeros((len(days), 7))
    over_until_ms = np.int64(-(2**62))
    for i in range(len(days)):
        if i == 0 or days[i, 0] != days[i - 1, 0]:
            over_until_ms = np.int64(-(2**62))
        # As float32 a level may be a rounding above the request that it was advised as.
        allowed_cores, allowed_bytes = requests[i, 0] + 1e-9, requests[i, 1] * (1 + 1e-6)
        found[i, 3] = np.nan
        for j in range(days[i, 1], days[i, 2]):
            begin_ms, until_ms = max(at_ms[j], days[i, 3]), min(at_ms[j] + lasted_ms[j], days[i, 4])
            if begin_ms >= until_ms:
                continue
            seconds = (until_ms - begin_ms) / 1000
            memory, cores = np.float64(memory_bytes[j]), np.float64(cpu_cores[j])
            if not np.isnan(memory):
                found[i, 0] += seconds
                if not found[i, 3] >= memory:
                    found[i, 3] = memory
                if memory > allowed_bytes:
                    found[i, 1] += seconds
                    if begin_ms - over_until_ms >= apart_ms:
                        found[i, 2] += 1
                    over_until_ms = until_ms
            if not np.isnan(cores):
                found[i, 4] += seconds
                if cores > allowed_cores:
                    found[i, 5] += seconds
                    found[i, 6] += (cores - requests[i, 0]) * seconds
    return found


@kernel
def means(days: Ints, at_ms: Ints, lasted_ms: Ints, values: Singles, step_ms: int) -> Floats:
    """The mean of each step of a day, float64 (k, steps of the longest day), over what was observed; NaN = nothing was.

    days: as in `exceedances`.
    """
    longest_ms = np.int64(0)
    for i in range(len(days)):
        longest_ms = max(longest_ms, days[i, 4] - days[i, 3])
    steps = (longest_ms + step_ms - 1) // step_ms
    found = np.zeros((len(days), steps))
    seconds = np.zeros(steps)
    for i in range(len(days)):
        seconds[:] = 0
        for j in range(days[i, 1], days[i, 2]):
            begin_ms, until_ms = max(at_ms[j], days[i, 3]), min(at_ms[j] + lasted_ms[j], days[i, 4])
            value = np.float64(values[j])
            if np.isnan(value):
                continue
            while begin_ms < until_ms:
                step = (begin_ms - days[i, 3]) // step_ms
                edge_ms = min(until_ms, days[i, 3] + (step + 1) * step_ms)
                seconds[step] += (edge_ms - begin_ms) / 1000
                found[i, step] += value * ((edge_ms - begin_ms) / 1000)
                begin_ms = edge_ms
        for step in range(steps):
            found[i, step] = found[i, step] / seconds[step] if seconds[step] > 0 else np.nan
    return found
