"""Numbers as people read them: money, shares, hours, dates; columns whose printed parts add up."""

from collections.abc import Sequence
from datetime import date
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from costlab.domain.units import GIB

MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"
WHOLE = Decimal(1)
CENT = Decimal("0.01")

_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
# ISO 4217 gives them no hundredths.
_OF_WHOLES = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF")
)  # fmt: skip
_SIZES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
# strftime and calendar follow the machine's locale; a report may not.
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def step(amount: Decimal, currency: str = "") -> Decimal:
    """What amounts of this size are rounded to: whole units from 100 on, hundredths below where the currency has them."""
    return WHOLE if abs(amount) >= 100 else smallest(currency)


def smallest(currency: str) -> Decimal:
    """The smallest amount that is written: a hundredth, of such as the yen a whole one."""
    return WHOLE if currency in _OF_WHOLES else CENT


def money(amount: Decimal, currency: str, *, signed: bool = False, to: Decimal | None = None) -> str:
    """An amount with its currency: $6,708, $42.10, −€3.50, 1,204 CHF; `signed` writes the plus as well.

    `to` is what it is rounded to, where another amount beside it decides that.
    """
    to = step(amount, currency) if to is None else to
    rounded = amount.quantize(to, rounding=ROUND_HALF_EVEN)
    text = f"{abs(rounded):,}"
    symbol = _SYMBOLS.get(currency)
    return _sign(rounded, signed=signed) + (f"{symbol}{text}" if symbol else f"{text} {currency}".rstrip())


def column(
    amounts: Sequence[Decimal | None],
    *,
    signed: bool = False,
    total: Decimal | None = None,
    to: Decimal | None = None,
) -> tuple[list[str], str]:
    """The cells of a money column and of its total row, rounded so that the printed parts give the printed total.

    All cells are rounded to `to`, else to what suits the total, by largest remainder; an amount that is not nothing but rounds to
    it is written <1 or <0.01 (in a signed column 0). None stays a dash. `total` is the printed total when another place has rounded it.
    """
    known = [amount for amount in amounts if amount is not None]
    whole = sum(known, Decimal(0)) if total is None else total
    if to is None:
        largest = max([whole, *known], key=abs)
        to = step(largest) if largest else WHOLE  # a column of 0 has the total 0, not 0.00
    printed = iter(apportion(known, to, whole.quantize(to, rounding=ROUND_HALF_EVEN)))
    cells = [
        NONE if amount is None else _cell(amount, next(printed), to, signed=signed) for amount in amounts
    ]
    rounded = whole.quantize(to, rounding=ROUND_HALF_EVEN)
    return cells, _sign(rounded, signed=signed) + f"{abs(rounded):,}"


def apportion(amounts: Sequence[Decimal], to: Decimal, total: Decimal) -> list[Decimal]:
    """The amounts as multiples of `to` that add up to `total`: largest remainders are rounded up first.

    Ties go to the earlier amount. Without amounts there is nothing to add up, and the answer is empty.
    """
    units = [int((amount / to).to_integral_value(ROUND_FLOOR)) for amount in amounts]
    missing = int(total / to) - sum(units)
    by_remainder = sorted(range(len(amounts)), key=lambda i: (units[i] - amounts[i] / to, i))
    if by_remainder:
        every, some = divmod(missing, len(by_remainder))
        for place, index in enumerate(by_remainder):
            units[index] += every + (place < some)
    return [unit * to for unit in units]


def share(ratio: float | None) -> str:
    """A ratio as a whole percentage that never rounds to all or nothing: 0.417 -> 42%, 0.002 -> <1%."""
    if ratio is None or ratio != ratio:  # noqa: PLR0124 - NaN, which alone differs from itself
        return NONE
    if 0 < abs(ratio) < 0.005:
        return "<1%"
    if 0.995 <= ratio < 1:
        return ">99%"
    return f"{ratio * 100:,.0f}%".replace("-", MINUS)


def quantity(value: float | None) -> str:
    """A quantity with three meaningful digits or all its whole ones: 0.25, 12.5, 1,204."""
    if value is None or value != value:  # noqa: PLR0124 - NaN, which alone differs from itself
        return NONE
    if value == 0:
        return "0"
    places = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    text = f"{value:,.{places}f}"
    return text.replace("-", MINUS) if float(text.replace(",", "")) else f"<{10**-places:g}"


def gib(size_bytes: float | None) -> str:
    """Bytes in GiB."""
    return quantity(None if size_bytes is None else size_bytes / GIB)


def axis_money(amount: float, currency: str) -> str:
    """An axis label: $0, $2.5k, 10k CHF, 1.5B IDR; never with an exponent."""
    size, suffix = next(((s, t) for s, t in _SIZES if abs(amount) >= s), (1.0, ""))
    text = f"{Decimal(f'{amount / size:g}'):f}{suffix}"
    symbol = _SYMBOLS.get(currency)
    return f"{symbol}{text}" if symbol else f"{text} {currency}".rstrip()


def short_money(amount: Decimal, currency: str) -> str:
    """An amount with three meaningful digits, for where there is little room: $7.66k, $42.10, 1.2M CHF."""
    return axis_money(float(f"{amount:.3g}"), currency) if abs(amount) >= 1000 else money(amount, currency)


def weekday(day: date) -> str:
    """Sunday."""
    return _WEEKDAYS[day.weekday()]


def short_date(day: date) -> str:
    """22 Nov."""
    return f"{day.day} {_MONTHS[day.month - 1][:3]}"


def medium_date(day: date) -> str:
    """22 November."""
    return f"{day.day} {_MONTHS[day.month - 1]}"


def long_date(day: date) -> str:
    """Sunday, 22 November 2026."""
    return f"{weekday(day)}, {medium_date(day)} {day.year}"


def month(day: date) -> str:
    """November."""
    return _MONTHS[day.month - 1]


def counted(number: int, noun: str, plural: str = "") -> str:
    """1 node, 2 nodes, 1,204 nodes."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def unpriced(charges: int) -> str:
    """1 charge has no price and is, 2 charges have no price and are: the beginning of where it or they are not counted."""
    return counted(charges, "charge has no price and is", "charges have no price and are")


def _cell(amount: Decimal, rounded: Decimal, to: Decimal, *, signed: bool) -> str:
    if not rounded:
        return f"<{to}" if amount > 0 and not signed else "0"
    return _sign(rounded, signed=signed) + f"{abs(rounded):,}"


def _sign(amount: Decimal, *, signed: bool) -> str:
    if amount < 0:
        return MINUS
    return "+" if signed and amount > 0 else ""
