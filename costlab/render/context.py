"""What is on the report's page: every text ready to print, every mark and chart as plain numbers."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum


class Part(StrEnum):
    """What a day's money bought, in the order in which bars are stacked."""

    USED = "used"
    UNUSED = "unused"
    UNOBSERVED = "unobserved"
    IDLE = "idle"
    SYSTEM = "system"
    BESIDE = "beside"

    @property
    def label(self) -> str:
        """As the legend and the tables' heads say it."""
        return _LABELS[self]


_LABELS = {
    Part.USED: "Used",
    Part.UNUSED: "Reserved, not used",
    Part.UNOBSERVED: "Not observed",
    Part.IDLE: "Idle",
    Part.SYSTEM: "System",
    Part.BESIDE: "Volumes, network, fees",
}


@dataclass(frozen=True, slots=True)
class Split:
    """A little bar of parts; shares add up to at most 1, the rest stays empty."""

    shares: tuple[tuple[Part, float], ...]


@dataclass(frozen=True, slots=True)
class Spark:
    """A little line; None is a missing day and breaks it. An empty `label` leaves it to the text beside it."""

    values: tuple[float | None, ...]
    label: str = ""


Mark = Split | Spark


@dataclass(frozen=True, slots=True)
class Column:
    """A column's head; `minor` ones give way on a phone."""

    title: str
    unit: str = ""
    numeric: bool = False
    minor: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text, a quieter note under it, a mark beside it, a tone (good, bad, quiet).

    minor_note: the note gives way on a phone. address: where the text leads, beside the page. key: what the cell is sorted by
    where its text does not tell.
    """

    text: str
    note: str = ""
    mark: Mark | None = None
    tone: str = ""
    minor_note: bool = False
    address: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table; `rest` rows (others, idle, system) stand below a rule, `total` at the foot."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    rest: tuple[tuple[Cell, ...], ...] = ()
    total: tuple[Cell, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, a sentence, a table; `empty` is said instead of a table without rows. Folded ones open by a click."""

    key: str
    title: str
    lead: str
    table: Table
    empty: str = ""
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """A line of the data-quality strip; level is info, warning or error."""

    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Tile:
    """One of the five figures: label, value, what it means, and a mark."""

    label: str
    value: str
    note: str
    mark: Mark | None = None


@dataclass(frozen=True, slots=True)
class DayBar:
    """A day of the bar chart; amounts by part, None when the day is missing."""

    date: date
    amounts: dict[Part, float] | None
    usual: float | None
    complete: bool


@dataclass(frozen=True, slots=True)
class MonthLine:
    """A month's running total: (day of month, amount); a missing day has None."""

    title: str
    points: tuple[tuple[int, float | None], ...]


@dataclass(frozen=True, slots=True)
class AheadDay:
    """A day of the month that is to come, and what the month will have cost at its end; NaN bounds are not known."""

    day: int
    expected: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """A month's budget of a team, namespace, pipeline or cluster; spent None and NaN: not known."""

    dimension: str
    subject: str
    monthly: float
    spent: Decimal | None
    expected: float
    lower: float
    upper: float
    state: str


@dataclass(frozen=True, slots=True)
class MonthAhead:
    """The rest of the month, without days where there is no forecast; `budget` is the cluster's own."""

    days: tuple[AheadDay, ...] = ()
    budget: float | None = None
    budgets: tuple[BudgetLine, ...] = ()


@dataclass(frozen=True, slots=True)
class DailyChart:
    """Thirty days as stacked bars of some parts, with the usual level."""

    title: str
    summary: str
    parts: tuple[Part, ...]
    bars: tuple[DayBar, ...]
    currency: str
    last_label: str
    table: Table


@dataclass(frozen=True, slots=True)
class MonthChart:
    """The cumulative month with what is to come of it, over the month before where the lake holds all of that."""

    title: str
    summary: str
    now: MonthLine
    before: MonthLine | None
    days_in_month: int
    currency: str
    last_label: str
    table: Table
    ahead: tuple[AheadDay, ...] = ()
    end_label: str = ""
    budget: float | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A text that leads to another page; without an address it is where the reader is."""

    text: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """A day in the calendar; `anchor` is its date. state: complete, incomplete or missing; `address`, where it has a report."""

    anchor: str
    number: int
    name: str
    state: str
    cost: str = ""
    change: str = ""
    tone: str = ""
    mark: Split | None = None
    address: str = ""


@dataclass(frozen=True, slots=True)
class CalendarWeek:
    """A week from Monday to Sunday; None is no day of the month, or one before the first that is known of."""

    days: tuple[CalendarDay | None, ...]
    number: int
    name: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class CalendarMonth:
    """A month by weeks; `address`, where it has an edition."""

    title: str
    note: str
    weeks: tuple[CalendarWeek, ...]
    address: str = ""

    @property
    def numbered(self) -> bool:
        """Whether any of its weeks has an edition, and so its number leads there."""
        return any(week.address for week in self.weeks)


@dataclass(frozen=True, slots=True)
class Page:
    """A page beside the daily reports. path: from the site's front to here; links: what to read next; notes: at its foot."""

    title: str
    path: tuple[Link, ...]
    headline: str
    links: tuple[Link, ...] = ()
    tiles: tuple[Tile, ...] = ()
    daily: DailyChart | None = None
    months: tuple[CalendarMonth, ...] = ()
    sections: tuple[Section, ...] = ()
    downloads: tuple[tuple[str, str], ...] = ()
    notices: tuple[Notice, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """The whole page."""

    title: str
    cluster: str
    date: date
    day: str
    headline: str
    notices: tuple[Notice, ...]
    tiles: tuple[Tile, ...]
    daily: DailyChart
    month: MonthChart
    sections: tuple[Section, ...]
    provenance: tuple[tuple[str, str], ...]
    downloads: tuple[tuple[str, str], ...]
    links: tuple[Link, ...] = ()
