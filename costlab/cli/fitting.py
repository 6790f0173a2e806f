"""Which columns of a table a terminal of some width shows: those that say least give way, and are named."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len

from costlab.render import figures

# Text that is longer is a sentence, or an endless name: it is folded, at words where it has any, to no less than this.
_SENTENCE, _NAME, _FOLDED = 40, 60, 24
_KEYS = 4  # columns of text in front that say what a row is of: cluster, namespace, kind and name at most
GAP = 2  # between two columns
EDGE = 2  # left and right of a table, together


@dataclass(frozen=True, slots=True)
class Column:
    """A column as it is printed. money: it is what the table is about, and stays for longest."""

    heading: str
    cells: Sequence[str]
    number: bool = False
    money: bool = False

    @property
    def sentence(self) -> bool:
        """Whether it holds text that may be folded; names of pods are copied, and stay in a line."""
        longest = _SENTENCE if any(" " in cell for cell in self.cells) else _NAME
        return not self.number and self._longest() > longest

    @property
    def needs(self) -> int:
        """The fewest characters across that break no cell and no word of the heading."""
        words = max(map(cell_len, self.heading.split()), default=0)
        return max(words, _FOLDED if self.sentence else self._longest())

    def of_parts(self) -> "Column":
        """Without its last row."""
        return replace(self, cells=self.cells[:-1])

    def _longest(self) -> int:
        return max(map(cell_len, self.cells), default=0)


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is shown as a table; what is the same in every row and said once; the headings of what has no room."""

    shown: Sequence[Column]
    same: Sequence[tuple[str, str]] = ()
    hidden: Sequence[str] = ()


def fitted(columns: Sequence[Column], width: int, *, total: bool) -> Fitted:
    """The columns that `width` characters have room for, and one at least. total: the last row is a sum, and says so first.

    What is the same in every row is said once before anything is hidden.
    """
    if width_of(columns) <= width:
        return Fitted(columns)
    columns = _titled(columns) if total else columns
    same = [place for place in range(1, len(columns)) if _same(columns[place], total=total)]
    left = [place for place in range(len(columns)) if place not in same]
    order = _least_first(columns, left[1:])
    # What goes before something wider may have room again once that is gone.
    shown = left[:1]
    for place in reversed(order):
        if width_of([columns[other] for other in (*shown, place)]) <= width:
            shown.append(place)
    hidden = [place for place in left if place not in shown]
    return Fitted(
        [columns[place] for place in sorted(shown)],
        [(columns[place].heading, columns[place].cells[0]) for place in same],
        [columns[place].heading for place in hidden],
    )


def _titled(columns: Sequence[Column]) -> Sequence[Column]:
    """Where the first column says the same of all but the total, the second names the total, and it comes first."""
    if len(columns) == 1 or columns[1].number or not _same(columns[0].of_parts(), total=False):
        return columns
    first, second, *others = columns
    named = replace(second, cells=[*second.cells[:-1], first.cells[-1]])
    return [named, replace(first, cells=[*first.cells[:-1], first.cells[0]]), *others]


def _least_first(columns: Sequence[Column], places: Sequence[int]) -> list[int]:
    """Whatever else, then sentences, money, what rows are of, and the first money; of each kind the rightmost first."""
    numbers = [place for place, column in enumerate(columns) if column.number]
    keys = range(min(numbers[0] if numbers else len(columns), _KEYS))
    first_money = next((place for place, column in enumerate(columns) if column.money), None)

    def rank(place: int) -> tuple[int, int]:
        column = columns[place]
        kinds = (column.sentence, column.money, place in keys, place == first_money)
        return max((kind for kind, fits in enumerate(kinds, 1) if fits), default=0), -place

    return sorted(places, key=rank)


def width_of(columns: Sequence[Column]) -> int:
    """How many characters a table of these columns needs across."""
    return sum(column.needs for column in columns) + GAP * (len(columns) - 1) + EDGE


def _same(column: Column, *, total: bool) -> bool:
    """Whether one word says it all; of a column of text, a total has none."""
    cells = column.cells
    if total and not column.number and cells and cells[-1] in ("", figures.NONE):
        cells = cells[:-1]
    return len(cells) > 1 and len(set(cells)) == 1
