"""The frames of streamed remote read, cut out of what has come: a length, a CRC-32C and a payload each.

Bytes are uint8 arrays, places in them int64. The kernels read nothing outside of begin:end, whatever is in there.
"""

import numpy as np
from numpy.typing import NDArray

from costlab.core._jit import bare_kernel

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]

LARGEST_FRAME = 2**26  # Prometheus makes frames of 1 MiB unless told otherwise
SOUND, ABSURD, DAMAGED = range(3)
SIZE, EXTENSION, LINE_END, CONTENT, AFTER, TRAILER, DONE, GARBLED = range(8)
_LONGEST_LINE = 4096
_LF, _CR = 0x0A, 0x0D
_BEHIND_SIZE = (0x3B, 0x20, 0x09)  # semicolon, space, tab
_CASTAGNOLI = 0x82F63B78  # the polynomial, bits reflected


def _tables() -> NDArray[np.uint64]:
    """What a byte does to the checksum when 0 to 15 further bytes follow it: (16, 256)."""
    tables = np.zeros((16, 256), np.uint64)
    for byte in range(256):
        checksum = byte
        for _ in range(8):
            checksum = checksum >> 1 ^ (_CASTAGNOLI if checksum & 1 else 0)
        tables[0, byte] = checksum
    for table in range(1, 16):
        before = tables[table - 1]
        tables[table] = before >> np.uint64(8) ^ tables[0, before & np.uint64(255)]
    return tables


_TABLES = _tables()
_LOW = np.uint64(255)
_ONES = np.uint64(2**32 - 1)
_1, _2, _3, _4, _5, _6, _7, _8 = (np.uint64(number) for number in range(1, 9))
_16, _24, _32, _40, _48, _56 = (np.uint64(number) for number in range(16, 64, 8))


@bare_kernel
def _word(data: Bytes, at: np.uint64) -> np.uint64:
    """The 8 bytes from `at` on, the first one lowest; compiled, it is one load."""
    return (
        np.uint64(data[at])
        | np.uint64(data[at + _1]) << _8
        | np.uint64(data[at + _2]) << _16
        | np.uint64(data[at + _3]) << _24
        | np.uint64(data[at + _4]) << _32
        | np.uint64(data[at + _5]) << _40
        | np.uint64(data[at + _6]) << _48
        | np.uint64(data[at + _7]) << _56
    )


@bare_kernel
def _folded(word: np.uint64, following: int) -> np.uint64:
    """What 8 bytes do to the checksum when 0 or 8 further bytes follow them."""
    return np.uint64(
        _TABLES[following + 7, word & _LOW]
        ^ _TABLES[following + 6, word >> _8 & _LOW]
        ^ _TABLES[following + 5, word >> _16 & _LOW]
        ^ _TABLES[following + 4, word >> _24 & _LOW]
        ^ _TABLES[following + 3, word >> _32 & _LOW]
        ^ _TABLES[following + 2, word >> _40 & _LOW]
        ^ _TABLES[following + 1, word >> _48 & _LOW]
        ^ _TABLES[following, word >> _56]
    )


@bare_kernel
def crc32c(data: Bytes, begin: int, end: int) -> np.uint64:
    """The checksum of RFC 3720 over data[begin:end], 16 bytes a step: 3 GB/s, where 8 a step are 2.3."""
    at, stop = np.uint64(begin), np.uint64(end)
    checksum = _ONES
    while at + _16 <= stop:
        checksum = _folded(_word(data, at) ^ checksum, 8) ^ _folded(_word(data, at + _8), 0)
        at += _16
    while at < stop:
        checksum = checksum >> _8 ^ _TABLES[0, (checksum ^ np.uint64(data[at])) & _LOW]
        at += _1
    return checksum ^ _ONES


@bare_kernel
def cut_frames(data: Bytes, begin: int, end: int, frames: Ints, checked: bool) -> tuple[int, int, int]:
    """Finds whole frames from `begin` on, at most len(frames): writes where each payload begins and ends.

    frames: int64 (n, 2). checked: compare checksums.
    Returns what is wrong, where the first frame that is not whole or not sound begins, and how many come before it.
    """
    count = 0
    while count < len(frames):
        at, length, byte = begin, 0, 0x80
        for shift in range(0, 28, 7):
            if at >= end:
                return SOUND, begin, count
            byte = int(np.int64(data[at]))
            length |= (byte & 0x7F) << shift
            at += 1
            if byte < 0x80:
                break
        if byte >= 0x80 or length > LARGEST_FRAME:
            return ABSURD, begin, count
        first = at + 4
        if first + length > end:
            return SOUND, begin, count
        told = np.int64(0)
        for place in range(at, first):
            told = told << 8 | np.int64(data[place])
        if checked and np.uint64(told) != crc32c(data, first, first + length):
            return DAMAGED, begin, count
        frames[count, 0], frames[count, 1] = first, first + length
        count += 1
        begin = first + length
    return SOUND, begin, count


@bare_kernel
def unchunk(raw: Bytes, end: int, into: Bytes, at: int, state: Ints) -> int:
    """Copies what HTTP's chunked transfer coding carries, from raw[:end] to `into` from `at` on; returns the place after.

    state: int64 (3,), all 0 at first: what comes next, how much is left of it, how long the line is so far. It ends
    as DONE after the last chunk, and as GARBLED where the coding is wrong or `into` is full.
    """
    expected, left, length = state[0], state[1], state[2]
    place = 0
    while place < end and expected < DONE:
        if expected == CONTENT:
            taken = min(left, end - place)
            if taken > len(into) - at:
                expected = GARBLED
                break
            for i in range(taken):
                into[at + i] = raw[place + i]
            at, place, left = at + taken, place + taken, left - taken
            if left == 0:
                expected, length = AFTER, 0
            continue
        byte = int(np.int64(raw[place]))
        place += 1
        length += 1
        ends = byte == _LF
        if length > _LONGEST_LINE:
            expected = GARBLED
        elif expected == SIZE:
            digit = _hexadecimal(byte)
            if digit >= 0 and left < 2**32:
                left = left * 16 + digit
            elif length == 1 or digit >= 0 or not (ends or byte == _CR or byte in _BEHIND_SIZE):
                expected = GARBLED
            else:
                expected = LINE_END if byte == _CR else EXTENSION
        elif expected == LINE_END and not ends:
            expected = GARBLED
        elif expected == EXTENSION and byte == _CR:
            expected = LINE_END
        elif expected == AFTER and byte != (_CR if length == 1 else _LF):
            expected = GARBLED
        elif expected == AFTER and ends:
            expected, left, length = SIZE, 0, 0
        elif expected == TRAILER and ends:
            expected, left, length = TRAILER if left else DONE, 0, 0
        elif expected == TRAILER and byte != _CR:
            left = 1
        if expected in (EXTENSION, LINE_END) and ends:
            expected, length = CONTENT if left else TRAILER, 0
    state[0], state[1], state[2] = expected, left, length
    return at


@bare_kernel
def _hexadecimal(byte: int) -> int:
    """The value of a digit in ASCII; -1 for anything else."""
    if 0x30 <= byte <= 0x39:
        return byte - 0x30
    byte |= 0x20
    return byte - 0x57 if 0x61 <= byte <= 0x66 else -1
