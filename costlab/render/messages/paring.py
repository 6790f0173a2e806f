"""Text and payloads within the sizes that others allow."""

from collections.abc import Callable
from typing import Any

import orjson


def cut(text: str, most: int) -> str:
    """The text, or as much of it as fits with an ellipsis behind it.

    >>> cut("abcdef", 4)
    'abc…'
    """
    return text if len(text) <= most else f"{text[: most - 1]}…"


def fitting(made: Callable[[int], dict[str, Any]], most: int, largest_bytes: int) -> dict[str, Any]:
    """The payload of as many parts as fit into so many bytes of JSON: `most` of them, or fewer; at least that of none."""
    for parts in range(most, 0, -1):
        payload = made(parts)
        if len(orjson.dumps(payload)) <= largest_bytes:
            return payload
    return made(0)
