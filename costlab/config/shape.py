"""What may stand at a place of the configuration, read off the models themselves."""

from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from costlab.config.faults import Place
from costlab.config.section import Section


def keys_at(shape: type[Section], place: Place) -> tuple[str, ...]:
    """The keys a section at that place may have; none where there is no section."""
    found = type_at(shape, place)
    return _keys(found) if _is_section(found) else ()


def type_at(shape: type[Section], place: Place) -> Any:
    """The type of the value at a place, without Annotated and None; None where nothing may stand."""
    found: Any = shape
    for part in place:
        found = _inner(found, part)
    return found


def _inner(outer: Any, part: str | int) -> Any:
    if _is_section(outer):
        fields = {field.alias or name: field for name, field in outer.model_fields.items()}
        return _bare(fields[part].annotation) if part in fields else None
    if get_origin(outer) is Mapping:
        return _bare(get_args(outer)[1])
    if get_origin(outer) in (list, tuple) and isinstance(part, int):
        return _bare(get_args(outer)[0])
    return None


def _bare(annotation: Any) -> Any:
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return _bare(next(kind for kind in get_args(annotation) if kind is not type(None)))
    return annotation


def _is_section(found: Any) -> bool:
    return isinstance(found, type) and issubclass(found, Section)


def _keys(section: type[Section]) -> tuple[str, ...]:
    return tuple(field.alias or name for name, field in section.model_fields.items())
