"""The tiles of money that a day's report and an edition have in common: the total, what was not used, what was idle."""

from collections.abc import Mapping
from decimal import Decimal

from costlab.render import figures
from costlab.render.cells import ZERO
from costlab.render.context import Part, Split, Tile


def cost(label: str, note: str, parts: Mapping[Part, Decimal], total: Decimal | None, currency: str) -> Tile:
    """The total, with what it bought; None is not known."""
    value = figures.NONE if total is None else figures.money(total, currency)
    return Tile(label, value, note, _split(parts, total or ZERO))


def unused(amount: Decimal, of_gpus: Decimal, total: Decimal, currency: str) -> Tile:
    """What was reserved and stood still, and how much of that was GPUs."""
    of_them = f", {figures.share(float(of_gpus / amount))} of it GPUs" if of_gpus and amount else ""
    note = _of_total(amount, total) + of_them
    return Tile(
        "Paid for, not used", figures.money(amount, currency), note, _split({Part.UNUSED: amount}, total)
    )


def idle(amount: Decimal, total: Decimal, currency: str) -> Tile:
    """What capacity cost that was given to no pod."""
    return Tile(
        "Idle capacity",
        figures.money(amount, currency),
        f"{_of_total(amount, total)}, given to no pod",
        _split({Part.IDLE: amount}, total),
    )


def _split(parts: Mapping[Part, Decimal], total: Decimal) -> Split | None:
    return (
        Split(tuple((part, float(amount / total)) for part, amount in parts.items())) if total > 0 else None
    )


def _of_total(part: Decimal, total: Decimal) -> str:
    return f"{figures.share(float(part / total))} of the bill" if total else "of nothing"
