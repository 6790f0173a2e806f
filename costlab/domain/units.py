"""Units that never mix: Kubernetes quantities, GiB (2^30) and GB (10^9), exporters' units, money in micro-units."""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

KIB = 2**10
MIB = 2**20
GIB = 2**30
GB = 10**9
MICRO = 10**6

_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_QUANTITY = re.compile(
    r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))(?:(?P<suffix>[numkMGTPE]|[KMGTPE]i)|[eE](?P<exponent>[+-]?\d{1,3}))?",
    re.ASCII,  # or a digit of any script is one
)


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit that exporters use: value * factor / divisor is in `base`, the unit of a signal.

    One of the two is 1, so a value is rounded once at most: a factor of 10^-3 would be rounded itself.
    """

    base: str
    factor: float = 1.0
    divisor: float = 1.0


UNITS = {
    "ratio": Unit("ratio"),
    "percent": Unit("ratio", divisor=100.0),
    "bytes": Unit("bytes"),
    "KiB": Unit("bytes", factor=float(KIB)),
    "MiB": Unit("bytes", factor=float(MIB)),
    "GiB": Unit("bytes", factor=float(GIB)),
    "kB": Unit("bytes", factor=1e3),
    "MB": Unit("bytes", factor=1e6),
    "GB": Unit("bytes", factor=float(GB)),
    "watts": Unit("watts"),
    "kilowatts": Unit("watts", factor=1e3),
    "milliwatts": Unit("watts", divisor=1e3),
    "microwatts": Unit("watts", divisor=1e6),
    "joules": Unit("joules"),
    "millijoules": Unit("joules", divisor=1e3),
    "microjoules": Unit("joules", divisor=1e6),
}


class Resource(StrEnum):
    """What a node offers and a pod is charged for."""

    CPU = "cpu"
    MEMORY = "memory"
    GPU = "gpu"

    @property
    def unit(self) -> str:
        """The unit its quantities are charged in."""
        return {"cpu": "core_hour", "memory": "gib_hour", "gpu": "gpu_hour"}[self.value]

    @property
    def hours(self) -> str:
        """The same unit, many of them, in words."""
        return {"cpu": "core-hours", "memory": "GiB-hours", "gpu": "GPU-hours"}[self.value]


def parse_quantity(text: str) -> Fraction:
    """The exact value of a Kubernetes resource quantity, in cores, bytes or pieces.

    The grammar is the API server's: a sign, digits, then one of n u m k M G T P E, Ki Mi Gi Ti Pi Ei,
    or a decimal exponent. `1 Gi` and `1e3Ki` are refused there, and so here.

    >>> parse_quantity("100m"), parse_quantity("1.5Gi") == 1.5 * GIB
    (Fraction(1, 10), True)

    Raises ValueError for anything else.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a Kubernetes quantity such as 500m, 2, 1.5Gi or 1e3")
    number = Fraction(match["number"])
    suffix = match["suffix"] or ""
    if suffix in _BINARY:
        return number * int(KIB ** _BINARY[suffix])
    power = int(match["exponent"]) if match["exponent"] else _DECIMAL[suffix]
    return number * Fraction(10) ** power


def format_cores(cores: float | Fraction) -> str:
    """CPU as Kubernetes writes it, in whole millicores and never less than is needed: 1.5 -> 1500m, 2 -> 2.

    A nanocore is the finest step Kubernetes knows: what is below it is the noise of floats, and 0.1 is 100m.
    """
    millicores = -(-round(Fraction(cores) * 10**9) // 10**6)
    return str(millicores // 1000) if millicores % 1000 == 0 else f"{millicores}m"


def format_bytes(size_bytes: float) -> str:
    """Memory as Kubernetes writes it, in the largest binary unit that needs no fraction: 1610612736 -> 1536Mi."""
    whole = int(-((-Fraction(size_bytes)) // 1))
    for suffix, power in reversed(_BINARY.items()):
        if whole and whole % KIB**power == 0:
            return f"{whole // KIB**power}{suffix}"
    return str(whole)


def money(amount: float | Fraction | Decimal | str) -> Decimal:
    """An amount rounded half-even to a micro-unit, as the lake stores money: DECIMAL(18, 6).

    It is rounded once, as a whole number of micro-units. Raises ValueError or OverflowError when it is not finite.
    """
    return Decimal(round(Fraction(amount) * MICRO)).scaleb(-6)
