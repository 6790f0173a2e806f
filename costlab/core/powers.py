"""Powers of ten and of two, as exact or as near as 128 bits can hold them: what turns decimal digits into doubles."""

import numpy as np
from numpy.typing import NDArray

SMALLEST, LARGEST = -324, 308
"""Exponents beyond which no decimal number of at most 18 digits is a normal double."""

EXACT_POWERS = np.array([float(10**q) for q in range(23)])
"""float64 (23,): 10^0 to 10^22, the powers of ten that are doubles."""


def _halves() -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.int64]]:
    """Upper and lower 64 bits, and binary exponent, of each power of ten.

    10^q lies in [g, g + 1) x 2^e with g = upper x 2^64 + lower, 2^127 <= g < 2^128; it is g x 2^e where 0 <= q <= 55.
    """
    upper, lower, exponents = [], [], []
    for q in range(SMALLEST, LARGEST + 1):
        # A negative power is divided out of enough bits that 128 of them are left.
        scaled, scale = (10**q, 0) if q >= 0 else ((1 << 1280) // 10**-q, -1280)
        excess = scaled.bit_length() - 128
        g = scaled >> excess if excess >= 0 else scaled << -excess
        upper.append(g >> 64)
        lower.append(g & (2**64 - 1))
        exponents.append(scale + excess)
    return np.array(upper, np.uint64), np.array(lower, np.uint64), np.array(exponents, np.int64)


UPPER, LOWER, EXPONENTS = _halves()
