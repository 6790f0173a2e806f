"""Money that adds up: amounts in whole micro-units (10^-6 of the currency), rounded by largest remainder."""

from decimal import Decimal

import numpy as np

from costlab.core.arrays import Floats, Ints
from costlab.domain.units import MICRO

EXACT = 2**52 // MICRO  # up to this much a double tells every micro-unit
MOST = 10**12  # the lake's DECIMAL(18, 6) holds less than that, of any currency


def to_micros(amount: float) -> int:
    """An amount in micro-units, rounded half to even; finite, as what comes of samples is, which are all below 2^62."""
    return round(amount * MICRO)


def told_amount(amount: float) -> Decimal | None:
    """An amount as a finding tells it, to a micro-unit; None where it is not known (NaN), or more than the lake can hold."""
    return Decimal(to_micros(amount)).scaleb(-6) if abs(amount) < MOST - 1 else None


def apportion(amounts: Floats, total_micros: int) -> Ints:
    """The amounts in micro-units, rounded so that they add up to `total_micros` exactly.

    amounts: float64 (n,), any sign. Each is rounded down; what is missing goes, one micro-unit each, to the largest
    remainders, ties to the earlier row (Hamilton's method). Raises ValueError when the missing part is not one that
    rounding explains: less than nothing, or more than one micro-unit a row.
    """
    scaled = amounts * MICRO
    # A product such as 7.5 * 1e6 may come out an ulp below the whole number that it stands for.
    nearest = np.rint(scaled)
    scaled = np.where(np.abs(scaled - nearest) < 1e-4, nearest, scaled)
    floors = np.floor(scaled)
    micros = floors.astype(np.int64)
    missing = total_micros - int(micros.sum())
    if missing < 0 and -missing <= len(micros):
        # The total itself was rounded down: take from the smallest remainders that are not nothing.
        order = np.lexsort((np.arange(len(micros)), scaled - floors, micros <= 0))
        micros[order[:-missing]] -= 1
        return micros
    if not 0 <= missing <= len(micros):
        raise ValueError(f"{missing} micro-units are left over for {len(micros)} amounts")
    order = np.lexsort((np.arange(len(micros)), -(scaled - floors)))
    micros[order[:missing]] += 1
    return micros
