"""Text and payloads within the sizes that others allow."""

from collections.abc import Callable, Iterable
from typing import Any


def cut(text: str, most: int) -> str:
    """The text, or as much of it as fits with an ellipsis behind it.

    >>> cut("abcdef", 4)
    'abc…'
    """
    return text if len(text) <= most else f"{text[: most - 1]}…"


def fitting(
    made: Iterable[dict[str, Any]], largest: int, size: Callable[[dict[str, Any]], int]
) -> dict[str, Any]:
    """The first of the payloads, each smaller than the one before, that is no larger; else the last of them."""
    payload: dict[str, Any] = {}
    for payload in made:
        if size(payload) <= largest:
            break
    return payload
