"""Prometheus's XOR chunks: samples of one series, each told by how it differs from the one before.

A chunk is the number of samples (16 bits), the first time (zigzag varint) and value (64 bits), the step to the
second time (varint), and then bits: how the step changes (0, 14, 17, 20 or 64 bits behind the prefix 0, 10, 110,
1110, 1111), and the value XORed with the one before (0; 10 and as many bits as last time; 11, 5 bits of leading
zeros, 6 bits of length, those bits).
"""

import numpy as np
from numpy.typing import NDArray

from costlab.core._jit import bare_kernel

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Words = NDArray[np.uint64]

MARGIN = 32  # bytes that must be readable behind the last chunk; a sample is checked when it has been read
SOUND, TORN, ABSURD, NO_ROOM = range(4)

_0, _1, _2, _3, _4, _5, _6, _7, _8 = (np.uint64(number) for number in range(9))
_11, _14, _16, _20, _24, _31, _32 = (np.uint64(number) for number in (11, 14, 16, 20, 24, 31, 32))
_40, _44, _48, _51, _56, _57 = (np.uint64(number) for number in (40, 44, 48, 51, 56, 57))
_60, _61, _62, _63, _64 = (np.uint64(number) for number in range(60, 65))
_BITS_7, _BITS_14, _BITS_17, _BITS_20 = (np.uint64(2**bits - 1) for bits in (7, 14, 17, 20))
_HALF_14, _HALF_17, _HALF_20 = (np.uint64(2 ** (bits - 1)) for bits in (14, 17, 20))
_FULL_14, _FULL_17, _FULL_20 = (np.uint64(2**bits) for bits in (14, 17, 20))
_NOWHERE = np.uint64(2**60)  # behind the end of any array


@bare_kernel
def decode(
    data: Bytes, chunks: Ints, start_ms: int, end_ms: int, at_ms: Words, values: Words, kept: Ints
) -> tuple[int, int]:
    """Writes the samples with start_ms <= t < end_ms one chunk after the other; returns what is wrong, and where.

    data: uint8, with MARGIN bytes behind the last chunk. chunks: int64 (n, 3), where each begins and ends in data,
        and how many samples it has, at least one.
    at_ms, values: the bits of int64 and float64, with room for all samples of all chunks.
    kept: int64 (n,), how many samples of each chunk were written.
    Times go round at 64 bits, as in Prometheus itself. Nothing is said about the order of what is written.
    """
    window = np.uint64(np.int64(start_ms)), np.uint64(end_ms - start_ms)
    room = min(len(at_ms), len(values))
    count = _0
    for i in range(len(chunks)):
        begin, end, number = chunks[i, 0], chunks[i, 1], chunks[i, 2]
        if (
            begin < 0
            or end < begin
            or end + MARGIN > len(data)
            or number < 1
            or np.int64(count) + number > room
        ):
            return NO_ROOM, begin
        before = count
        fault, count = _samples(
            data, (np.uint64(begin), np.uint64(end), number), window, at_ms, values, count
        )
        if fault != SOUND:
            return fault, begin
        kept[i] = np.int64(count - before)
    return SOUND, 0


@bare_kernel
def _samples(
    data: Bytes,
    chunk: tuple[np.uint64, np.uint64, int],
    window: tuple[np.uint64, np.uint64],
    at_ms: Words,
    values: Words,
    count: np.uint64,
) -> tuple[int, np.uint64]:
    """Writes the samples of one chunk from place `count` on; returns what is wrong, and the place after the last."""
    begin, end, number = chunk
    start, span = window
    zigzag, place = _varint(data, begin + _2)
    if place + _8 > end:
        return TORN, count
    time = zigzag >> _1 ^ (_0 - (zigzag & _1))
    value = _word(data, place)
    place += _8
    step, bit, last = _0, place << _3, end << _3
    length, trailing = _64, _0
    for sample in range(number):
        if sample == 1:
            step, place = _varint(data, place)
            bit = place << _3
            if bit > last:
                return TORN, count
        if sample > 0:
            # One load holds at least 57 bits: at most 24 for the step, and 13 for what is said of the value.
            word = _word(data, bit >> _3) << (bit & _7)
            if sample > 1:
                change, size = _change(word)
                if size == _64:
                    change = _bits(data, bit + _4, _64)
                    bit += _4 + _64
                    word = _word(data, bit >> _3) << (bit & _7)
                else:
                    bit += size
                    word <<= size
                step += change
            time += step
            if word >> _63 == _0:
                bit += _1
            else:
                bit += _2
                if word >> _62 == _3:
                    length = word >> _51 & _63
                    if length == _0:
                        length = _64
                    trailing = _64 - length - (word >> _57 & _31)
                    if trailing > _63:
                        return ABSURD, count
                    bit += _11
                value ^= _bits(data, bit, length) << trailing
                bit += length
        if bit > last:
            return TORN, count
        at_ms[count], values[count] = time, value
        if time - start < span:
            count += _1
    return SOUND, count


@bare_kernel
def _change(word: np.uint64) -> tuple[np.uint64, np.uint64]:
    """How the step changes by the topmost bits, and how many bits that took; 64 if the change has 64 bits of its own."""
    if word >> _63 == _0:
        return _0, _1
    if word >> _62 == _2:
        change = word >> _48 & _BITS_14
        return (change - _FULL_14 if change > _HALF_14 else change), _16
    if word >> _61 == _6:
        change = word >> _44 & _BITS_17
        return (change - _FULL_17 if change > _HALF_17 else change), _20
    if word >> _60 == _14:
        change = word >> _40 & _BITS_20
        return (change - _FULL_20 if change > _HALF_20 else change), _24
    return _0, _64


@bare_kernel
def _bits(data: Bytes, bit: np.uint64, length: np.uint64) -> np.uint64:
    """The 1 to 64 bits from a place on that is counted in bits."""
    at, into = bit >> _3, bit & _7
    return (_word(data, at) << into | np.uint64(data[at + _8]) >> (_8 - into)) >> (_64 - length)


@bare_kernel
def _word(data: Bytes, at: np.uint64) -> np.uint64:
    """The 8 bytes from `at` on, the first one topmost; compiled, it is one load."""
    return (
        np.uint64(data[at]) << _56
        | np.uint64(data[at + _1]) << _48
        | np.uint64(data[at + _2]) << _40
        | np.uint64(data[at + _3]) << _32
        | np.uint64(data[at + _4]) << _24
        | np.uint64(data[at + _5]) << _16
        | np.uint64(data[at + _6]) << _8
        | np.uint64(data[at + _7])
    )


@bare_kernel
def _varint(data: Bytes, at: np.uint64) -> tuple[np.uint64, np.uint64]:
    """The number at `at`, and the place after it; _NOWHERE if it does not end within ten bytes and 64 bits."""
    number = _0
    for shift in range(0, 70, 7):
        byte = np.uint64(data[at])
        at += _1
        number |= (byte & _BITS_7) << np.uint64(shift)
        if byte <= _BITS_7:
            return number, _NOWHERE if shift == 63 and byte > _1 else at
    return number, _NOWHERE
