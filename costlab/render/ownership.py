"""Rows of several answers by whose they are: of thousands of rows each is looked at once, not once for every page."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from costlab.render.cells import Row

Answers = Mapping[str, list[Row]]


def team(row: Row) -> Any:
    """Whose row it is, by team."""
    return row["team"]


def workload(row: Row) -> tuple[str, str, str]:
    """What tells a workload apart: its namespace, kind and name."""
    return row["namespace"], row["workload_kind"], row["workload"]


def by_owner(answers: Answers, names: Iterable[str], owner: Callable[[Row], Any]) -> Mapping[Any, Answers]:
    """The rows of the named answers by their owner, in their order; of an owner without any row, empty answers."""
    wanted = tuple(names)
    found: dict[Any, dict[str, list[Row]]] = defaultdict(lambda: {name: [] for name in wanted})
    for name in wanted:
        for row in answers[name]:
            found[owner(row)][name].append(row)
    return found
