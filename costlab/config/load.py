"""Find the configuration, lay the environment over it, check all of it at once, and freeze it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from costlab.config.book import TAGS, PriceBook, contradictions
from costlab.config.document import Document, read_document
from costlab.config.environment import overlay
from costlab.config.faults import Fault, Place, dotted, meant, refuse
from costlab.config.section import Section, joined
from costlab.config.settings import Configuration, Settings
from costlab.config.shape import keys_at
from costlab.domain.errors import ConfigError

NAME = "costlab.yaml"

_Shape = TypeVar("_Shape", bound=Section)

# pydantic's words for a fault, in ours; braces hold what pydantic adds.
_WORDS = {
    "missing": "is missing",
    "string_type": "must be text: put it in quotes",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "finite_number": "must be a finite number",
    "greater_than": "must be greater than {gt:.15g}",
    "greater_than_equal": "must not be less than {ge:.15g}",
    "less_than_equal": "must not be more than {le:.15g}",
    "string_pattern_mismatch": "must look like {pattern}",
    "mapping_type": "must be `key: value` lines",
    "dict_type": "must be `key: value` lines",
    "model_type": "must be `key: value` lines",
    "model_attributes_type": "must be `key: value` lines",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "path_type": "must be a path",
    "date_type": "must be a date such as 2026-11-22",
    "date_from_datetime_parsing": "must be a date such as 2026-11-22",
    "date_from_datetime_inexact": "must be a date such as 2026-11-22",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}  # fmt: skip


def load(
    path: Path | None,
    environ: Mapping[str, str],
    *,
    lake: str | Path | None = None,
    folder: Path | None = None,
) -> Settings:
    """The settings: defaults, under the file, under the environment, under `lake`.

    Without `path` the file is the first that exists of `$COSTLAB_CONFIG` (which then must exist), `costlab.yaml` in
    `folder` (the working directory), `$XDG_CONFIG_HOME/costlab` and `/etc/costlab`; without any, the defaults.
    Raises ConfigError with all faults of the file, the price book and the environment.
    """
    folder = folder or Path.cwd()
    file, looked_in = _find(path, environ, folder)
    document = read_document(file) if file else Document(folder / NAME)
    origins = {dotted(place): document.where(place) for place in document.lines if place}
    faults = list(document.faults)
    variables = overlay(document.content, environ, folder, faults)
    if lake is not None:
        document.content["lake"] = joined(folder, str(lake))
        variables[("lake",)] = "--lake"
    origins |= {dotted(place): name for place, name in variables.items()}
    document.content.setdefault("report", {})  # so that its default folder is anchored as well
    anchor = file.parent if file else folder
    found = _validated(Configuration, document, anchor, variables, faults)
    faults += _repeated_ids(document)
    faults += _repeated_budgets(document, found)
    faults += _repeated_destinations(document, found)
    book = _book(document, anchor, variables, found.timezone if found else "UTC", faults)
    refuse(faults)
    assert found is not None  # noqa: S101 - without a fault there is a result; mypy cannot know
    parts = {name: getattr(found, name) for name in type(found).model_fields}
    return Settings.model_construct(**parts, book=book, file=file, looked_in=looked_in, origins=origins)


def _find(
    path: Path | None, environ: Mapping[str, str], folder: Path
) -> tuple[Path | None, tuple[Path, ...]]:
    """The file to read, if there is one, and everywhere that was looked for it."""
    named = environ.get("COSTLAB_CONFIG")
    if path is not None:
        return path, (path,)
    if named:
        return folder / named, (folder / named,)
    home = environ.get("XDG_CONFIG_HOME") or (
        Path(environ["HOME"]) / ".config" if environ.get("HOME") else None
    )
    places = [folder / NAME, *([Path(home) / "costlab" / NAME] if home else []), Path("/etc/costlab") / NAME]
    found = next((place for place in places if place.is_file()), None)
    return found, tuple(places)


def _validated(
    shape: type[_Shape],
    document: Document,
    anchor: Path,
    variables: Mapping[Place, str],
    faults: list[Fault],
) -> _Shape | None:
    """The content as `shape`, or None with what is wrong added to `faults`."""
    try:
        return shape.model_validate(document.content, context={"folder": anchor})
    except ValidationError as error:
        for found in error.errors(include_url=False, include_input=False):
            place = tuple(part for part in found["loc"] if part not in ("[key]", *TAGS))
            name = next(
                (variables[place[:n]] for n in range(len(place), 0, -1) if place[:n] in variables), None
            )
            text = _in_words(shape, place, found["type"], found["msg"], found.get("ctx", {}))
            faults.append(Fault(name or document.where(place), dotted(place), text))
        return None


def _in_words(shape: type[Section], place: Place, kind: str, message: str, context: Mapping[str, Any]) -> str:
    if kind == "extra_forbidden":
        return "is unknown" + meant(str(place[-1]), keys_at(shape, place[:-1]))
    if kind in _WORDS:
        return _WORDS[kind].format(**context)
    return message[:1].lower() + message[1:]


def _repeated_ids(document: Document) -> list[Fault]:
    """Clusters that share an id, each at its own line."""
    clusters = document.content.get("clusters")
    seen: dict[object, int] = {}
    faults = []
    for number, cluster in enumerate(clusters if isinstance(clusters, list) else []):
        name = cluster.get("id") if isinstance(cluster, dict) else None
        if isinstance(name, str) and seen.setdefault(name, number) != number:
            place = ("clusters", number, "id")
            faults.append(
                Fault(document.where(place), dotted(place), f"is that of clusters[{seen[name]}] too")
            )
    return faults


def _repeated_budgets(document: Document, found: Configuration | None) -> list[Fault]:
    """Budgets of the same team, namespace, pipeline or cluster, of which only one could count."""
    seen: dict[tuple[str, str], int] = {}
    faults = []
    for number, budget in enumerate(found.budgets if found else ()):
        first = seen.setdefault((budget.dimension, budget.subject), number)
        if first != number:
            place = ("budgets", number, budget.dimension)
            text = f"{budget.subject!r} has a budget in budgets[{first}] already"
            faults.append(Fault(document.where(place), dotted(place), text))
    return faults


def _repeated_destinations(document: Document, found: Configuration | None) -> list[Fault]:
    """Destinations of one name, of which each would take the other's posts for its own."""
    seen: dict[str, int] = {}
    faults = []
    for number, destination in enumerate(found.notify if found else ()):
        first = seen.setdefault(destination.known_as, number)
        if first != number:
            place: Place = ("notify", number)
            text = f"has the name of notify[{first}], {destination.known_as!r}: give it a name of its own"
            faults.append(Fault(document.where(place), dotted(place), text))
    return faults


def _book(
    document: Document, anchor: Path, variables: Mapping[Place, str], timezone: str, faults: list[Fault]
) -> PriceBook:
    """The price book that the configuration names; an empty one when it names none, or is at fault."""
    prices = document.content.get("prices")
    named = prices.get("book") if isinstance(prices, dict) else None
    if not isinstance(named, str):
        return PriceBook()
    place = ("prices", "book")
    try:
        pages = read_document(anchor / named)
    except ConfigError as error:
        faults.append(Fault(variables.get(place) or document.where(place), dotted(place), error.message))
        return PriceBook()
    faults += pages.faults
    book = _validated(PriceBook, pages, pages.path.parent, {}, faults)
    if book is None:
        return PriceBook()
    faults += [
        Fault(pages.where(place), dotted(place), text) for place, text in contradictions(book, timezone)
    ]
    return book
