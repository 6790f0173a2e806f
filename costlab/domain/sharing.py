"""How what nobody asked for is shared among those who were there."""

from enum import StrEnum


class ShareIdle(StrEnum):
    """Who pays for idle and system capacity: nobody, every key of an answer as much, or each by its own cost."""

    NONE = "none"
    EVEN = "even"
    COST = "cost"
