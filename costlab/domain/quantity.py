"""Kubernetes quantities as the API server writes them back: exact, in its canonical form."""

import re
from enum import StrEnum
from fractions import Fraction

from costlab.domain.units import parse_quantity

_SI = {-9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"}
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_EXPONENT = re.compile(r"[eE][+-]?\d+$")
_NANO = 10**9  # the finest step that Kubernetes knows


class Form(StrEnum):
    """How a quantity is written: 1500m, 1536Mi or 15e3."""

    DECIMAL = "decimal"
    BINARY = "binary"
    EXPONENT = "exponent"


def form_of(text: str) -> Form:
    """The form that a quantity is written in, and keeps when Kubernetes writes it anew."""
    if text.endswith("i"):
        return Form.BINARY
    return Form.EXPONENT if _EXPONENT.search(text) else Form.DECIMAL


def canonical(value: Fraction | int, form: Form = Form.DECIMAL) -> str:
    """A quantity as Kubernetes prints it: a whole number and the largest suffix that leaves it one.

    What is finer than a nano is rounded up, away from 0; of the binary form, what is finer than one. Below 1024 that
    form has no suffix to write, and is the decimal one.

    >>> canonical(Fraction(3, 2)), canonical(1610612736, Form.BINARY), canonical(12000, Form.EXPONENT)
    ('1500m', '1536Mi', '12e3')
    """
    exact = Fraction(value)
    if form is Form.BINARY and abs(exact) >= 1024:
        whole, power = _away_from_zero(exact), 0
        while power < len(_BINARY) - 1 and whole % 1024 == 0:
            whole, power = whole // 1024, power + 1
        return f"{whole}{_BINARY[power]}"
    mantissa, exponent = _away_from_zero(exact * _NANO), -9
    while mantissa and mantissa % 1000 == 0 and exponent < 18:
        mantissa, exponent = mantissa // 1000, exponent + 3
    if not mantissa:
        return "0"
    if form is Form.EXPONENT:
        return f"{mantissa}e{exponent}" if exponent else str(mantissa)
    return f"{mantissa}{_SI[exponent]}"


def rewritten(text: str) -> str:
    """A quantity in canonical form, its own kind of suffix kept. Raises ValueError for what is none.

    >>> rewritten("1.5Gi"), rewritten("0.1"), rewritten("128974848e0")
    ('1536Mi', '100m', '128974848')
    """
    return canonical(parse_quantity(text), form_of(text))


def rounded_up(value: float | Fraction, step: Fraction) -> Fraction:
    """The smallest multiple of the step that is not below the value, apart from the noise of floats.

    A float within a billionth of the step above a multiple is that multiple: 0.1 + 0.2 cores are 300m.
    Raises ValueError for a step that is not above 0.
    """
    if step.numerator <= 0:
        raise ValueError(f"a step of {step} rounds nothing: it has to be above 0")
    billionths = Fraction(value) / step * _NANO
    return (
        -(-round(billionths) // _NANO) * step
        if isinstance(value, float)
        else -(-Fraction(value) // step) * step
    )


def _away_from_zero(value: Fraction) -> int:
    return -(-value // 1) if value > 0 else value // 1
