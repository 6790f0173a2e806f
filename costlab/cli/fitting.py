"""Which columns of a table a terminal of some width shows: those that say least give way, and are named."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len

from costlab.render import figures

# Text that is longer is a sentence: it is folded at words, to no less than this.
_SENTENCE, _FOLDED = 40, 24
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
        """Whether it holds text that may be folded at words."""
        return not self.number and self._longest() > _SENTENCE

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

    What is the same in every row is said once before anything is hidden. Then those on the right go first; sentences and
    money only when nothing else is left.
    """
    if width_of(columns) <= width:
        return Fitted(columns)
    columns = _titled(columns) if total else columns
    same = [place for place in range(1, len(columns)) if _same(columns[place], total=total)]
    left = [place for place in range(len(columns)) if place not in same]
    hidden: list[int] = []
    for place in _least_first(columns, left[1:]):
        if width_of([columns[other] for other in left]) <= width:
            break
        left.remove(place)
        hidden.append(place)
    return Fitted(
        [columns[place] for place in left],
        [(columns[place].heading, columns[place].cells[0]) for place in same],
        [columns[place].heading for place in sorted(hidden)],
    )


def _titled(columns: Sequence[Column]) -> Sequence[Column]:
    """Where the first column says the same of all but the total, the second names the total, and it comes first."""
    if len(columns) == 1 or columns[1].number or not _same(columns[0].of_parts(), total=False):
        return columns
    first, second, *others = columns
    named = replace(second, cells=[*second.cells[:-1], first.cells[-1]])
    return [named, replace(first, cells=[*first.cells[:-1], first.cells[0]]), *others]


def _least_first(columns: Sequence[Column], places: Iterable[int]) -> list[int]:
    def rank(place: int) -> tuple[bool, bool, int]:
        return columns[place].money, columns[place].sentence, -place

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
