"""The configuration as a list of values with their origin."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from costlab.config.faults import Place, dotted
from costlab.config.settings import Configuration, Settings


@dataclass(frozen=True, slots=True)
class Value:
    """One value: its dotted key, its text with secrets hidden, and who set it."""

    key: str
    text: str
    origin: str


def values(settings: Settings) -> Iterator[Value]:
    """Every value of the configuration, in the file's order."""
    told: dict[str, Any] = settings.model_dump(
        mode="json", by_alias=True, include=set(Configuration.model_fields)
    )
    for place, found in _leaves(told, ()):
        text = found if isinstance(found, str) else orjson.dumps(found).decode()
        yield Value(dotted(place), text, _origin(settings, place))


def _leaves(found: Any, place: Place) -> Iterator[tuple[Place, Any]]:
    if isinstance(found, dict) and found:
        for key, inner in found.items():
            yield from _leaves(inner, (*place, key))
    elif isinstance(found, list) and any(isinstance(inner, dict) for inner in found):
        for number, inner in enumerate(found):
            yield from _leaves(inner, (*place, number))
    else:
        yield place, found


def _origin(settings: Settings, place: Place) -> str:
    """Who set a value; a variable sets all that is in its key."""
    for length in range(len(place), 0, -1):
        origin = settings.origins.get(dotted(place[:length]))
        if origin and (length == len(place) or ":" not in origin):
            return origin
    return "default"
