"""Samples out of JSON bytes: a matrix as the query API prints it, and the lines of VictoriaMetrics's export.

The loops know the compact form that servers send, and stop at anything else: that is for a general parser, which is
their twin. They read nothing beyond a text's end, whatever is in it.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from costlab.core._jit import kernel, part
from costlab.core.powers import EXACT_POWERS, EXPONENTS, LARGEST, LOWER, SMALLEST, UPPER

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Found = tuple[int, int, int, int]

_QUOTE, _BACKSLASH, _COMMA, _OPEN, _CLOSE, _BRACE = 34, 92, 44, 91, 93, 125
_MINUS, _PLUS, _POINT, _ZERO, _E = 45, 43, 46, 48, 101
_METRIC = np.frombuffer(b'{"metric":{', np.uint8)
_VALUES = np.frombuffer(b',"values":[', np.uint8)
_TIMESTAMPS = np.frombuffer(b',"timestamps":[', np.uint8)
_ENDS = np.frombuffer(b"]}\n", np.uint8)

_LOW = np.uint64(2**32 - 1)
_HALF = np.uint64(32)
_ALL = np.uint64(2**64 - 1)
_ONE = np.uint64(1)


class Room(NamedTuple):
    """Where the loops put what they find; memory that is not written costs nothing.

    spans: int64 (series, 2), the first byte of a series' label object and the one behind it.
    offsets: int64 (series + 1,); the samples of series i are offsets[i]:offsets[i + 1].
    at_ms: int64 (samples,), epoch milliseconds. values: float64 (samples,).
    odd: int64 (samples, 2), a sample and where its value begins, for each value that is no plain decimal number or
        lies too near the middle of two doubles; it is NaN, and the caller's to read.
    """

    spans: Ints
    offsets: Ints
    at_ms: Ints
    values: Floats
    odd: Ints


def room_for(size: int, smallest_sample: int) -> Room:
    """Room for all that a text of so many bytes can hold, a sample taking at least `smallest_sample` of them."""
    series, samples = size // 25 + 2, size // smallest_sample + 2  # {"metric":{},"values":[]}
    return Room(
        np.empty((series, 2), np.int64), np.empty(series + 1, np.int64),
        np.empty(samples, np.int64), np.empty(samples), np.empty((samples, 2), np.int64),
    )  # fmt: skip


@kernel
def scan_matrix(
    text: Bytes, at: int, spans: Ints, offsets: Ints, at_ms: Ints, values: Floats, odd: Ints
) -> Found:
    """Reads `{"metric":{…},"values":[[seconds,"number"],…]},…]` from `at`, behind the opening bracket.

    Returns where the text goes on behind the closing bracket, or -1 for another form, and how many series, samples
    and odd values there are. The instants of a series rise.
    """
    size, series, n, strange = len(text), 0, 0, 0
    offsets[0] = 0
    if at < size and text[at] == _CLOSE:
        return at + 1, 0, 0, 0
    while True:
        at = _series_begins(text, at, spans[series])
        first = n
        while at >= 0:
            at, at_ms[n] = _instant(text, at + 1, 3) if at < size and text[at] == _OPEN else (-1, 0)
            if at < 0 or at + 1 >= size or text[at] != _COMMA or text[at + 1] != _QUOTE:
                return -1, series, n, strange
            if n > first and at_ms[n] <= at_ms[n - 1]:
                return -1, series, n, strange
            begin = at + 2
            at, values[n] = _value(text, begin)
            if at < 0 or at >= size or text[at] != _QUOTE:
                at, values[n] = _plain_text_ends(text, begin), np.nan
            if at < 0 or at + 2 >= size or text[at + 1] != _CLOSE:
                return -1, series, n, strange
            if np.isnan(values[n]):
                odd[strange, 0], odd[strange, 1] = n, begin
                strange += 1
            n += 1
            at += 3
            if text[at - 1] != _COMMA:
                break
        if at < 0 or at + 1 >= size or text[at - 1] != _CLOSE or text[at] != _BRACE:
            return -1, series, n, strange
        series += 1
        offsets[series] = n
        at += 2
        if text[at - 1] == _CLOSE:
            return at, series, n, strange
        if text[at - 1] != _COMMA:
            return -1, series, n, strange


@kernel
def scan_lines(
    text: Bytes, at: int, spans: Ints, offsets: Ints, at_ms: Ints, values: Floats, odd: Ints
) -> Found:
    """Reads lines of `{"metric":{…},"values":[number,…],"timestamps":[milliseconds,…]}` from `at`.

    Returns where the first line of another form begins, else the text's end, and how many series, samples and odd
    values there are before it. The instants of a line do not fall, but may be equal.
    """
    size, series, n, strange = len(text), 0, 0, 0
    offsets[0] = 0
    while at < size:
        line, first, known = at, n, strange
        at = _series_begins(text, at, spans[series])
        while at >= 0:
            begin = at
            at, values[n] = _value(text, begin)
            if at < 0 or at >= size or (text[at] != _COMMA and text[at] != _CLOSE):
                at, values[n] = _bare_text_ends(text, begin), np.nan
            if at < 0:
                return line, series, first, known
            if np.isnan(values[n]):
                odd[strange, 0], odd[strange, 1] = n, begin
                strange += 1
            n += 1
            at += 1
            if text[at - 1] == _CLOSE:
                break
        at = _follows(text, at, _TIMESTAMPS)
        for i in range(first, n):
            at, at_ms[i] = _instant(text, at, 0) if at >= 0 else (-1, 0)
            if at < 0 or at >= size or (i > first and at_ms[i] < at_ms[i - 1]):
                return line, series, first, known
            if i < n - 1:
                at = at + 1 if text[at] == _COMMA else -1
        at = _follows(text, at, _ENDS)
        if at < 0:
            return line, series, first, known
        series += 1
        offsets[series] = n
    return at, series, n, strange


@kernel
def _series_begins(text: Bytes, at: int, span: Ints) -> int:
    """Where the first sample would be, behind `{"metric":{…},"values":[`; -1 for another form."""
    at = _follows(text, at, _METRIC)
    if at < 0:
        return -1
    span[0] = at - 1
    size = len(text)
    # Strings with colons and commas between them: which of them is which is for the one who reads the span.
    inside = False
    while at < size:
        letter = text[at]
        if inside:
            if letter == _BACKSLASH:
                at += 1
            elif letter == _QUOTE:
                inside = False
        elif letter == _QUOTE:
            inside = True
        elif letter == _BRACE:
            span[1] = at + 1
            return _follows(text, at + 1, _VALUES)
        at += 1
    return -1


@kernel
def _follows(text: Bytes, at: int, literal: Bytes) -> int:
    """The place behind the literal, if the text goes on with it; else -1."""
    if at < 0 or at + len(literal) > len(text):
        return -1
    for i in range(len(literal)):
        if text[at + i] != literal[i]:
            return -1
    return at + len(literal)


@kernel
def _plain_text_ends(text: Bytes, at: int) -> int:
    """Where the closing quote of a string of printable ASCII without escapes is; -1 for any other."""
    while at < len(text) and 32 <= text[at] < 127 and text[at] != _BACKSLASH:
        if text[at] == _QUOTE:
            return at
        at += 1
    return -1


@kernel
def _bare_text_ends(text: Bytes, at: int) -> int:
    """Where the comma or bracket behind a token of letters, signs and quotes is; -1 for what is no such token."""
    begin = at
    while at < len(text) and 33 <= text[at] < 127 and text[at] != _BACKSLASH:
        if text[at] == _COMMA or text[at] == _CLOSE:
            return at if at > begin else -1
        at += 1
    return -1


@part
def _instant(text: Bytes, at: int, power: int) -> tuple[int, int]:
    """The whole number that the one at `at` is × 10^power, and where it ends; -1 if it is no such number."""
    negative = at < len(text) and text[at] == _MINUS
    at, mantissa, exponent, cut = _decimal(text, at + 1 if negative else at)
    exponent += power
    while exponent > 0 and 0 < mantissa < 2**53:
        mantissa *= 10
        exponent -= 1
    while exponent < 0 and mantissa > 0 and mantissa % 10 == 0:
        mantissa //= 10
        exponent += 1
    if cut or mantissa >= 2**53 or (exponent != 0 and mantissa > 0):
        at = -1
    return at, -mantissa if negative else mantissa


@part
def _value(text: Bytes, at: int) -> tuple[int, float]:
    """The double nearest to the decimal number at `at`, and where that ends; -1 if it is none, NaN if it is unsure."""
    if at >= len(text):
        return -1, np.nan
    negative = text[at] == _MINUS
    at, mantissa, exponent, cut = _decimal(text, at + 1 if negative else at)
    if at < 0:
        return -1, np.nan
    if not cut and mantissa <= 2**53 and -22 <= exponent <= 22:
        # One rounding of two exact doubles.
        value = float(mantissa)
        if exponent < 0:
            value /= EXACT_POWERS[-exponent]
        else:
            value *= EXACT_POWERS[exponent]
    else:
        value = _nearest(mantissa, exponent)
        # What was cut off lies between 0 and 1 of the last digit kept.
        if cut and value != _nearest(mantissa + 1, exponent):
            value = np.nan
    return at, -value if negative else value


@part
def _decimal(text: Bytes, at: int) -> tuple[int, int, int, bool]:
    """A JSON number without its sign as mantissa × 10^exponent, and where it ends; -1 if none is there.

    The mantissa has up to 18 digits; whether digits other than 0 were cut off is the last of the four.
    """
    size = len(text)
    mantissa, exponent, cut, begin = 0, 0, False, at
    while at < size:
        digit = int(text[at]) - _ZERO
        if digit < 0 or digit > 9:
            break
        if mantissa < 10**17:
            mantissa = mantissa * 10 + digit
        else:
            cut = cut or digit != 0
            exponent += 1
        at += 1
    if at == begin or (text[begin] == _ZERO and at > begin + 1):
        return -1, 0, 0, False
    if at < size and text[at] == _POINT:
        at += 1
        point = at
        while at < size:
            digit = int(text[at]) - _ZERO
            if digit < 0 or digit > 9:
                break
            if mantissa < 10**17:
                mantissa = mantissa * 10 + digit
                exponent -= 1
            else:
                cut = cut or digit != 0
            at += 1
        if at == point:
            return -1, 0, 0, False
    if at < size and (text[at] | 32) == _E:
        at += 1
        negative = at < size and text[at] == _MINUS
        if at < size and (negative or text[at] == _PLUS):
            at += 1
        begin, power = at, 0
        while at < size and 0 <= int(text[at]) - _ZERO <= 9:
            power = power * 10 + int(text[at]) - _ZERO
            at += 1
        if at == begin or at > begin + 4:
            return -1, 0, 0, False
        exponent += -power if negative else power
    return at, mantissa, exponent, cut


@kernel
def _nearest(mantissa: int, exponent: int) -> float:
    """The double nearest to mantissa × 10^exponent; NaN where 192 bits of it do not tell, or it is not normal.

    As Eisel and Lemire do: the product of the mantissa with the upper 128 bits of the power of ten. Those may be too
    small by less than one unit, so the product is by less than 2^64 units of its 192 bits. Only where that could
    carry it onto or over the middle of two doubles is the answer unsure.
    """
    if mantissa == 0:
        return 0.0
    if exponent < SMALLEST or exponent > LARGEST:
        return np.nan
    place = exponent - SMALLEST
    whole, scale = np.uint64(mantissa), EXPONENTS[place]
    for step in (32, 16, 8, 4, 2, 1):
        if whole >> np.uint64(64 - step) == 0:
            whole <<= np.uint64(step)
            scale -= step
    high, middle = _product(whole, UPPER[place])
    carry, low = _product(whole, LOWER[place])
    if middle > _ALL - carry:
        high += _ONE
        middle = carry - (_ALL - middle) - _ONE
    else:
        middle += carry
    excess = np.uint64(10) + (high >> np.uint64(63))
    kept, rest = high >> excess, high & ((_ONE << excess) - _ONE)
    half = _ONE << (excess - _ONE)
    exact = 0 <= exponent <= 55
    if not exact and rest == half - _ONE and middle >= _ALL - _ONE:
        return np.nan
    if rest > half or (rest == half and (not exact or middle > 0 or low > 0 or kept & _ONE == _ONE)):
        kept += _ONE
    scale += 128 + np.int64(excess)
    if scale < -1074 or scale + np.int64(kept >> np.uint64(53)) > 971:
        return np.nan
    return math.ldexp(float(kept), int(scale))


@kernel
def _product(a: np.uint64, b: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Upper and lower 64 bits of a × b."""
    a1, a0, b1, b0 = a >> _HALF, a & _LOW, b >> _HALF, b & _LOW
    low, cross, other, high = a0 * b0, a1 * b0, a0 * b1, a1 * b1
    middle = (low >> _HALF) + (cross & _LOW) + (other & _LOW)
    upper = high + (cross >> _HALF) + (other >> _HALF) + (middle >> _HALF)
    return upper, (middle << _HALF) | (low & _LOW)
