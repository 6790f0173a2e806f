"""Money that adds up: amounts in whole micro-units (10^-6 of the currency), rounded by largest remainder."""

import numpy as np

from costlab.core.arrays import Floats, Ints
from costlab.domain.units import MICRO


def to_micros(amount: float) -> int:
    """An amount in micro-units, rounded half to even."""
    return round(amount * MICRO)


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
