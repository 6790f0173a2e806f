"""Prints docs/queries.md from the headers of queries/; `scripts/docs` writes it."""

import re
from collections.abc import Iterator

from costlab.store.warehouse import FOLDERS, Query, queries

INTRODUCTION = """\
# The named queries

Made from the headers of `queries/` by `scripts/docs`; a test keeps the two equal.

    costlab queries teams            # the text of one
    costlab sql @teams --param cluster=prod --param day=2026-11-22

and in a notebook `lab.query("teams", cluster="prod", day="2026-11-22")`. Views of `staging` take no parameters and are
read as tables. Where a note says nothing else, `$day` is a date, `$days` how many days up to it, `$start` and `$until` a
window whose end is exclusive, and an empty text for `$cluster`, `$namespace` or `$team` is all of them.
"""
FLOORS = {
    "staging": "Views one floor above the tables",
    "marts": "What people ask",
    "exports": "Charges in the form of others",
    "checks": "What must never be: the guilty rows",
}


def page() -> str:
    """The page as Markdown, floor by floor."""
    return "\n".join([INTRODUCTION, *(line for floor in FOLDERS for line in _floor(floor))])


def _floor(floor: str) -> Iterator[str]:
    yield f"## {FLOORS[floor]}\n"
    for query in queries().values():
        if query.folder == floor:
            yield from _entry(query)


def _entry(query: Query) -> Iterator[str]:
    yield f"### {query.name}\n"
    yield f"{_prose(query.about)}\n"
    yield f"- one row is: {_prose(query.grain)}"
    yield f"- reads: {', '.join(f'`{name}`' for name in query.inputs)}"
    if query.params:
        yield f"- parameters: {', '.join(f'`${name}`' for name in sorted(query.params))}"
    if query.units != "none":
        yield f"- units: {_prose(query.units)}"
    yield ""
    if query.notes:
        yield f"{_listed(_prose(query.notes))}\n"


def _listed(text: str) -> str:
    """Text with an empty line before each numbered item and after the last, without which some take it for prose."""
    text = re.sub(r"\n(?=\d+\. )", "\n\n", text)
    return re.sub(r"(?<=\n)(\d+\. .*(?:\n   .*)*)\n(?=\S)", r"\1\n\n", text)


def _prose(text: str) -> str:
    """Text whose signs Markdown shows as they stand."""
    return text.replace("*", "\\*").replace("<", "\\<").replace("|", "\\|")


if __name__ == "__main__":
    print(page(), end="")
