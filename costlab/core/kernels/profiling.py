"""How usage was spread over the time: ranks and sketches, and its peak in each hour of a clock."""

import numpy as np

from costlab.core._jit import bare_kernel, kernel
from costlab.core.arrays import Brief, Floats, Ints, Singles

HOURS = 24
_BELOW = np.float32(-1e-45)  # the largest float32 below 0

# Buckets of a sketch: the upper 15 bits of a float32 that is not negative. The next 9 bits part a bucket further.
_BUCKETS, _FINE = 1 << 15, 1 << 9
_FEW = 24  # samples are sorted by hand
_ONE = np.int64(1) << 40
_INFINITE, _MINUS_ZERO = 0x7F800000, -0x80000000  # as bits of a float32; above the first are no numbers


@kernel
def profile(
    seen: Ints,
    life: Ints,
    zero_ms: int,
    start_ms: Brief,
    end_ms: Brief,
    values: Singles,
    percents: Ints,
) -> tuple[Ints, Floats, Floats, Ints, Brief, Brief]:
    """How long each row was observed, its mean, its nearest ranks, and the sketch of its usage, weighted by time.

    start_ms, end_ms: int32 since zero_ms; row r owns seen[r, 0]:seen[r, 1], of which what lies within life[r] counts.
    values: float32; NaN, infinity and what is below zero was not observed. percents: int64, rising, at most 100.
    Returns int64 (rows,) milliseconds; float64 (rows,); float64 (rows, percents), the smallest value that this part of
    the time lay at or below; NaN for a row that was never observed. Then, with offsets, int32: the buckets of each
    row that are not empty, rising, and the milliseconds in each. A bucket is the upper 15 bits of the float, so 64 of
    them are an octave; 0 is a bucket of its own.
    """
    rows = len(seen)
    observed_ms = np.zeros(rows, np.int64)
    mean = np.full(rows, np.nan)
    ranks = np.full((rows, len(percents)), np.nan)
    offsets = np.zeros(rows + 1, np.int64)
    count, most = 0, 0
    for r in range(rows):
        count += seen[r, 1] - seen[r, 0]
        most = max(most, seen[r, 1] - seen[r, 0])
    # One place more, for what is not kept: to write it takes less time than to ask whether to.
    buckets = np.empty(count + 1, np.int32)
    weights_ms = np.empty(count + 1, np.int32)
    samples = np.empty(most, np.int64)
    parted = np.empty(most + 1, np.int64)
    bits = values.view(np.int32)
    word = np.zeros(1, np.int32)
    number = word.view(np.float32)
    # Of each bucket how many samples there are, above 2^40, and their milliseconds, below it.
    told = np.zeros(_BUCKETS, np.int64)
    place = np.full(_BUCKETS, most, np.int64)
    fine = np.zeros(_FINE, np.int64)
    entry = 0
    begin = np.zeros(len(percents) + 1, np.int64)
    short_ms = np.zeros(len(percents), np.int64)
    found = np.zeros(len(percents), np.int64)
    for r in range(rows):
        low, high = seen[r, 0], seen[r, 1]
        born_ms, died_ms = life[r, 0] - zero_ms, life[r, 1] - zero_ms
        all_ms, least, largest = _weigh(low, high, born_ms, died_ms, start_ms, end_ms, bits, samples)
        if all_ms > 0:
            mean[r] = _tell(low, high, values, samples, told) / all_ms
        observed_ms[r] = all_ms
        # The sketch; which bucket each rank is in, and how much of the time lies before that.
        reached_ms, rank, several = told[0] & (_ONE - 1), 0, 0
        told[0] = 0
        if reached_ms > 0:
            buckets[entry], weights_ms[entry] = 0, reached_ms
            entry += 1
            while rank < len(percents) and 100 * reached_ms >= percents[rank] * all_ms:
                ranks[r, rank] = 0.0
                rank += 1
        first = rank
        wanted_ms = _part_of(all_ms, percents, rank)
        for bucket in range(_bucket_of(least), _bucket_of(largest) + 1 if largest else 0):
            samples_ms = told[bucket]
            lasted_ms = samples_ms & (_ONE - 1)
            told[bucket] = 0
            buckets[entry], weights_ms[entry] = bucket, lasted_ms
            entry += lasted_ms > 0
            reached_ms += lasted_ms
            if reached_ms < wanted_ms:
                continue
            while reached_ms >= wanted_ms:
                found[rank] = several
                # The smallest whole time, and some, that is this part of all.
                short_ms[rank] = max(wanted_ms - (reached_ms - lasted_ms), 1)
                rank += 1
                wanted_ms = _part_of(all_ms, percents, rank)
            place[bucket] = begin[several]
            begin[several + 1] = begin[several] + (samples_ms >> 40)
            several += 1
        offsets[r + 1] = entry
        if not several:
            continue
        # Only the samples of the buckets that hold a rank are looked at once more.
        _part(high - low, samples, place, parted)
        for k in range(several):
            place[_bucket_of(parted[begin[k]] >> 32)] = most
        for k in range(first, rank):
            word[0] = _at(parted, begin[found[k]], begin[found[k] + 1], short_ms[k], fine)
            ranks[r, k] = number[0]
    return observed_ms, mean, ranks, offsets, buckets[:entry].copy(), weights_ms[:entry].copy()


@bare_kernel
def _weigh(
    low: int,
    high: int,
    born_ms: int,
    died_ms: int,
    start_ms: Brief,
    end_ms: Brief,
    bits: Brief,
    samples: Ints,
) -> tuple[int, int, int]:
    """Fills samples with bits << 32 | ms for each of low:high, 0 for what was not observed: time, least and largest bits.

    Floats that are not negative are in the order of their bits. The least are those above 0.
    """
    starts, ends, keys = start_ms[low:high], end_ms[low:high], bits[low:high]
    samples = samples[: high - low]
    all_ms, least, largest = 0, _INFINITE, 0
    for i in range(len(samples)):
        lasted_ms = min(int(ends[i]), died_ms) - max(int(starts[i]), born_ms)
        key = int(np.int64(keys[i]))
        known = lasted_ms > 0 and (0 <= key < _INFINITE or key == _MINUS_ZERO)
        key = key & 0x7FFFFFFF if known else 0
        lasted_ms = lasted_ms if known else 0
        samples[i] = key << 32 | lasted_ms
        all_ms += lasted_ms
        least = min(least, key if key > 0 else _INFINITE)
        largest = max(largest, key)
    return all_ms, least, largest


@bare_kernel
def _tell(low: int, high: int, values: Singles, samples: Ints, told: Ints) -> float:
    """Adds the samples to their buckets; the sum of value × time."""
    values, samples = values[low:high], samples[: high - low]
    work = 0.0
    for i in range(len(samples)):
        lasted_ms = samples[i] & 0xFFFFFFFF
        if lasted_ms > 0:
            work += np.float64(values[i]) * lasted_ms
            told[np.uint64(_bucket_of(samples[i] >> 32))] += _ONE | lasted_ms
    return work


@bare_kernel
def _part(count: int, samples: Ints, place: Ints, parted: Ints) -> None:
    """Puts the samples where the place of their bucket says, and moves it on; all others into the last place."""
    samples, none = samples[:count], len(parted) - 1
    for i in range(len(samples)):
        bucket = np.uint64(_bucket_of(samples[i] >> 32))
        at = place[bucket]
        parted[np.uint64(at)] = samples[i]
        place[bucket] = at + (at != none)


@bare_kernel
def _bucket_of(key: int) -> int:
    """The bucket of a float32 by its bits: only 0 is in that of 0."""
    return max(key >> 17, min(key, 1))


@bare_kernel
def _part_of(all_ms: int, percents: Ints, rank: int) -> int:
    """The smallest whole time that is this part of all; behind the last rank more than there is."""
    return (percents[rank] * all_ms + 99) // 100 if rank < len(percents) else all_ms + 1


@bare_kernel
def _at(samples: Ints, low: int, high: int, wanted_ms: int, fine: Ints) -> int:
    """The smallest key of the samples low:high (key << 32 | ms, of one bucket) with that much time at or below it.

    fine: int64 (_FINE,) of zeros, and so it is left.
    """
    if high - low > _FEW:
        for i in range(low, high):
            fine[samples[i] >> 40 & _FINE - 1] += samples[i] & 0xFFFFFFFF
        part = 0
        while fine[part] < wanted_ms:
            wanted_ms -= fine[part]
            part += 1
        last = low
        for i in range(low, high):
            fine[samples[i] >> 40 & _FINE - 1] = 0
            if samples[i] >> 40 & _FINE - 1 == part:
                samples[i], samples[last] = samples[last], samples[i]
                last += 1
        high = last
    for i in range(low + 1, high):
        moved, j = samples[i], i
        while j > low and samples[j - 1] > moved:
            samples[j] = samples[j - 1]
            j -= 1
        samples[j] = moved
    i = low
    wanted_ms -= samples[i] & 0xFFFFFFFF
    while wanted_ms > 0:
        i += 1
        wanted_ms -= samples[i] & 0xFFFFFFFF
    return int(samples[i] >> 32)


@kernel
def hourly_max(
    seen: Ints,
    life: Ints,
    zero_ms: int,
    edges_ms: Ints,
    hour: Ints,
    start_ms: Brief,
    end_ms: Brief,
    values: Singles,
) -> Singles:
    """The largest usage of each row in each hour of a clock: float32 (rows, 24), NaN where nothing was observed.

    Rows, times and values are as in `profile`, but that those of a row are in the order of time, and do not
    overlap. edges_ms: int64 (n + 1,), rising, since zero_ms: from edges_ms[i] to edges_ms[i + 1] the clock shows hour[i],
    int64 (n,), 0 to 23; an hour may be there twice, or not at all.
    """
    most = np.full((len(seen), HOURS), np.nan, np.float32)
    for r in range(len(seen)):
        first, last = seen[r]
        for part in range(len(hour)):
            low_ms = max(edges_ms[part], life[r, 0] - zero_ms)
            high_ms = min(edges_ms[part + 1], life[r, 1] - zero_ms)
            if low_ms >= high_ms:
                continue
            while first < last and end_ms[first] <= low_ms:
                first += 1
            largest, i = _BELOW, first
            while i < last and start_ms[i] < high_ms:
                if largest < values[i] < np.inf:
                    largest = values[i]
                i += 1
            first = max(first, i - 1)  # the last of them may go on
            if largest >= 0 and not most[r, hour[part]] >= largest:
                most[r, hour[part]] = largest
    return most
