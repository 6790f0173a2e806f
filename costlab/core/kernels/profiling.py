"""How usage was spread over the time: ranks and sketches, and its peak in each hour of a clock."""

import numpy as np

from costlab.core._jit import bare_kernel, kernel, part
from costlab.core.arrays import Bits, Brief, Floats, Ints, Singles
from costlab.core.kernels.spreading import total_of

HOURS = 24
_BELOW = np.float32(-1e-45)  # the largest float32 below 0

# As bits of a float32: from the first on they are no numbers, from the second on negative.
_INFINITE, _MINUS_ZERO = np.uint32(0x7F800000), np.uint32(0x80000000)
# All in 32 bits: what numba makes 64 bits of is looked at half as many at once.
_ZERO, _ONE, _EARLIEST, _LATEST = np.int32(0), np.int32(1), np.int32(-0x80000000), np.int32(0x7FFFFFFF)
# Buckets of a sketch: the upper 15 bits of a float32 that is not negative.
_DROPPED = np.int32(17)
_BUCKETS = 0x7F800000 >> 17
# What is told of a bucket: the number of its last sample, from 1, above 2^40, and the milliseconds of all of them below.
_NUMBER = np.int64(1) << 40
_MS = _NUMBER - 1
_BLOCK = 128  # samples; while one block is told the next is fetched from memory
_FEW, _PARTS = 12, 64  # so few samples are compared each with each; of more but one part of so many


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

    start_ms, end_ms: int32 since zero_ms, less than 2^31 apart; row r owns seen[r, 0]:seen[r, 1], of which what lies
    within life[r] counts. values: float32; NaN, infinity and what is below zero was not observed. percents: int64,
    rising, at most 100.
    Returns int64 (rows,) milliseconds; float64 (rows,); float64 (rows, percents), the smallest value that this part of
    the time lay at or below; NaN for a row that was never observed. Then, with offsets, int32: the buckets of each
    row that are not empty, rising, and the milliseconds in each. A bucket is the upper 15 bits of the float, so 64 of
    them are an octave; 0 is a bucket of its own.
    """
    rows, most = len(seen), 0
    offsets = np.zeros(rows + 1, np.int64)
    for r in range(rows):
        most = max(most, seen[r, 1] - seen[r, 0])
        offsets[r + 1] = offsets[r] + seen[r, 1] - seen[r, 0]
    observed_ms = np.zeros(rows, np.int64)
    mean = np.full(rows, np.nan)
    ranks = np.full((rows, len(percents)), np.nan)
    # One place more, for what is not kept: to write it takes less time than to ask whether to.
    buckets = np.empty(offsets[rows] + 1, np.int32)
    weights_ms = np.empty(offsets[rows] + 1, np.int32)
    _profile(
        seen, life, zero_ms, start_ms, end_ms, values, values.view(np.uint32), percents,
        observed_ms, mean, ranks, offsets, buckets, weights_ms,
        np.empty(_BLOCK, np.int32), np.zeros(_BLOCK), np.empty(most, np.int32), np.empty(most, np.int32),
        np.zeros(_BUCKETS, np.int64), np.empty(most, np.int64), np.zeros(_PARTS, np.int64),
    )  # fmt: skip
    entries = offsets[rows]
    return observed_ms, mean, ranks, offsets, buckets[:entries].copy(), weights_ms[:entries].copy()


@bare_kernel
def _profile(
    seen: Ints,
    life: Ints,
    zero_ms: int,
    start_ms: Brief,
    end_ms: Brief,
    values: Singles,
    bits: Bits,
    percents: Ints,
    observed_ms: Ints,
    mean: Floats,
    ranks: Floats,
    offsets: Ints,
    buckets: Brief,
    weights_ms: Brief,
    bucket_of: Brief,
    work: Floats,
    lasted_ms: Brief,
    before: Brief,
    told: Ints,
    samples: Ints,
    parts_ms: Ints,
) -> None:
    """Fills what `profile` returns, from observed_ms to weights_ms. The rest is to work in: work, told, parts_ms are zeros.

    A kernel of its own, since of a slice in one that makes arrays it is counted who holds it.
    """
    for r in range(len(seen)):
        own = slice(seen[r, 0], seen[r, 1])
        starts, ends, levels, keys = start_ms[own], end_ms[own], values[own], bits[own]
        born_ms, died_ms = _brief(life[r, 0] - zero_ms), _brief(life[r, 1] - zero_ms)
        least, largest = int(_LATEST), 0
        for begin in range(0, len(keys), _BLOCK):
            some = slice(begin, min(begin + _BLOCK, len(keys)))
            some_least, some_largest = _weigh(
                starts[some], ends[some], levels[some], keys[some], born_ms, died_ms, bucket_of, lasted_ms[some], work
            )  # fmt: skip
            _tell(begin, some_largest, bucket_of, lasted_ms[some], before[some], told)
            least, largest = min(least, some_least), max(largest, some_largest)
        own = slice(offsets[r], offsets[r] + len(keys) + 1)
        entries, all_ms = _sketch(least, largest, told, buckets[own], weights_ms[own])
        offsets[r + 1] = offsets[r] + entries
        observed_ms[r] = all_ms
        if all_ms > 0:
            mean[r] = total_of(work[: len(keys)]) / all_ms
            _rank(
                all_ms, largest, percents, buckets[own], told, before, keys, lasted_ms,
                samples, parts_ms, ranks[r],
            )  # fmt: skip
        work[: len(keys)] = 0.0
        told[0] = 0
        told[_bucket_of(least) : _bucket_of(largest) + 1] = 0


@part
def _weigh(
    starts: Brief,
    ends: Brief,
    levels: Singles,
    keys: Bits,
    born_ms: np.int32,
    died_ms: np.int32,
    bucket_of: Brief,
    lasted_ms: Brief,
    work: Floats,
) -> tuple[int, int]:
    """Fills in the bucket of each sample and how long it lasted, both 0 where nothing was observed.

    Adds value × time to work, the sum of which is the same whatever number of them is added at once. Returns the least
    bits above 0 and the largest: floats that are not negative are in the order of their bits.
    """
    below, largest = np.uint32(_LATEST), _ZERO
    for i in range(len(starts)):
        since, until = max(starts[i], born_ms), min(ends[i], died_ms)
        known = (since < until) & ((keys[i] < _INFINITE) | (keys[i] == _MINUS_ZERO))
        key = np.int32(keys[i] & np.uint32(_LATEST)) if known else _ZERO
        lasted_ms[i] = np.int32(until - since) if known else _ZERO
        bucket_of[i] = max(np.int32(key >> _DROPPED), min(key, _ONE))
        below = min(below, np.uint32(key - _ONE))  # what lies below 0 is the largest
        largest = max(largest, key)
    for i in range(len(levels)):
        work[i] += np.float64(levels[i] if lasted_ms[i] > 0 else np.float32(0)) * lasted_ms[i]
    return int(below) + 1, int(largest)


@bare_kernel
def _tell(first: int, largest: int, bucket_of: Brief, lasted_ms: Brief, before: Brief, told: Ints) -> None:
    """Adds samples to their buckets. before: the number of the one before each in its bucket, 0 for none."""
    if largest == 0:
        for i in range(len(lasted_ms)):
            told[0] += lasted_ms[i]
        return
    number = first * _NUMBER
    for i in range(len(lasted_ms)):
        # An unsigned index: of others it is asked each time whether they count from the end.
        bucket = np.uint64(np.uint32(bucket_of[i]))
        so_far = told[bucket]
        number += _NUMBER
        before[i] = so_far >> 40
        told[bucket] = (so_far & _MS) + (number + lasted_ms[i])


@bare_kernel
def _sketch(least: int, largest: int, told: Ints, buckets: Brief, weights_ms: Brief) -> tuple[int, int]:
    """Fills in the buckets that are not empty, and the time in each: how many they are, and all their time."""
    all_ms, entry, first = told[0] & _MS, np.uint64(0), _bucket_of(least)
    buckets[entry], weights_ms[entry] = 0, all_ms
    entry += np.uint64(all_ms > 0)
    told = told[first : _bucket_of(largest) + 1]
    for i in range(len(told)):
        bucket_ms = told[i] & _MS
        buckets[entry], weights_ms[entry] = first + i, bucket_ms
        entry += np.uint64(bucket_ms > 0)
        all_ms += bucket_ms
    return int(entry), int(all_ms)


@part
def _rank(
    all_ms: int,
    largest: int,
    percents: Ints,
    buckets: Brief,
    told: Ints,
    before: Brief,
    keys: Bits,
    lasted_ms: Brief,
    samples: Ints,
    parts_ms: Ints,
    ranks: Floats,
) -> None:
    """Fills ranks: only the samples of the buckets that hold one are looked at once more."""
    entry, below_ms, reached_ms, count, differ = 0, 0, 0, 0, 0
    for k in range(len(percents)):
        # The smallest whole time, and some, that is this part of all.
        wanted_ms = max((percents[k] * all_ms + 99) // 100, 1)
        if wanted_ms > reached_ms and wanted_ms < all_ms:
            entry, below_ms, reached_ms = _reach(wanted_ms, entry, reached_ms, buckets, told)
            bucket = buckets[entry - 1]
            last = told[bucket] >> 40 if bucket > 0 else 0
            count, differ = _gather(last, before, keys, lasted_ms, samples)
        key = largest
        if wanted_ms < all_ms:
            key = _at(samples, count, differ, wanted_ms - below_ms, parts_ms) if count > 0 else 0
        ranks[k] = np.int32(key).view(np.float32)


@bare_kernel
def _reach(wanted_ms: int, entry: int, reached_ms: int, buckets: Brief, told: Ints) -> tuple[int, int, int]:
    """Goes on from the entry until that much time is reached: the entry behind, the time below the last one and with it."""
    at, below_ms = np.uint64(entry), reached_ms
    while reached_ms < wanted_ms:
        below_ms = reached_ms
        reached_ms += told[np.uint64(np.uint32(buckets[at]))] & _MS
        at += np.uint64(1)
    return int(at), below_ms, reached_ms


@bare_kernel
def _gather(last: int, before: Brief, keys: Bits, lasted_ms: Brief, samples: Ints) -> tuple[int, int]:
    """Fills in key << 32 | ms of the sample of this number and all before it in its bucket: how many, and where they differ."""
    count, differ = np.uint64(0), 0
    while last > 0:
        i = np.uint64(last - 1)
        samples[count] = np.int64(keys[i]) << 32 | lasted_ms[i]
        differ |= int(samples[count] ^ samples[0])
        count += np.uint64(1)
        last = int(before[i])
    return int(count), differ


@bare_kernel
def _at(samples: Ints, count: int, differ: int, wanted_ms: int, parts_ms: Ints) -> int:
    """The smallest key of so many samples, of one bucket, with that much time at or below it."""
    while count > _FEW and differ >> 32:
        count, differ, wanted_ms = _narrow(samples, count, differ, wanted_ms, parts_ms)
    found = samples[0]
    if differ >> 32:
        found = np.int64(_INFINITE) << 32
        for i in range(count):
            reached_ms = 0
            for j in range(count):
                reached_ms += samples[j] & 0xFFFFFFFF if samples[j] <= samples[i] else 0
            found = min(found, samples[i] if reached_ms >= wanted_ms else found)
    return int(found >> 32)


@bare_kernel
def _narrow(samples: Ints, count: int, differ: int, wanted_ms: int, parts_ms: Ints) -> tuple[int, int, int]:
    """Puts the part of the samples first that holds what is wanted: their count, where they differ, what is wanted of them.

    parts_ms: int64 (_PARTS,) of zeros, and so it is left.
    """
    shift = 32
    while differ >> shift >= _PARTS:
        shift += 1
    for i in range(count):
        parts_ms[np.uint64(samples[i] >> shift & _PARTS - 1)] += samples[i] & 0xFFFFFFFF
    wanted = 0
    while parts_ms[wanted] < wanted_ms:
        wanted_ms -= parts_ms[wanted]
        wanted += 1
    parts_ms[:] = 0
    kept, differ = 0, 0
    for i in range(count):
        sample = samples[i]
        samples[i], samples[kept] = samples[kept], sample
        inside = sample >> shift & _PARTS - 1 == wanted
        differ |= sample ^ samples[0] if inside else 0
        kept += inside
    return kept, differ, wanted_ms


@bare_kernel
def _bucket_of(key: int) -> int:
    """The bucket of a float32 by its bits: only 0 is in that of 0."""
    return max(key >> 17, min(key, 1))


@bare_kernel
def _brief(ms: int) -> np.int32:
    """The nearest time that 32 bits can tell."""
    return np.int32(min(max(ms, int(_EARLIEST)), int(_LATEST)))


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
        for shown in range(len(hour)):
            low_ms = max(edges_ms[shown], life[r, 0] - zero_ms)
            high_ms = min(edges_ms[shown + 1], life[r, 1] - zero_ms)
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
            if largest >= 0 and not most[r, hour[shown]] >= largest:
                most[r, hour[shown]] = largest
    return most
