"""Which pages of reports are to be written, and the writing of one: by this process, or by one beside it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TypeAlias

from costlab.config.settings import Settings
from costlab.domain.dates import Dates
from costlab.domain.time import Day
from costlab.jobs.editions import folder_of, write_edition
from costlab.jobs.report import Gathered, gather, put_report, rendered
from costlab.store.day_by_day import DayByDay
from costlab.store.lake import Lake
from costlab.store.memory import give_back
from costlab.store.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class ReportOf:
    """The report of a cluster's day. newest: the last day of the cluster that is reported along with it."""

    cluster: str
    day: Day
    newest: date


@dataclass(frozen=True, slots=True)
class EditionOf:
    """The edition of a cluster's week or month. newest: the last one of its kind that is written along with it."""

    cluster: str
    window: Dates
    newest: Dates


PageOf: TypeAlias = ReportOf | EditionOf


def pages_of(days: Sequence[tuple[str, Day]], editions: Sequence[tuple[str, Dates]]) -> list[PageOf]:
    """The pages as they are best written, cluster by cluster and the newest first: then `latest` is written once.

    An edition comes after the first of its own days, for it asks of all of them what their reports have asked.
    """
    newest_day: dict[str, date] = {}
    for cluster, day in days:
        newest_day[cluster] = max(newest_day.get(cluster, day.date), day.date)
    newest_edition: dict[tuple[str, str], Dates] = {}
    for cluster, window in editions:
        kind = (cluster, folder_of(window))
        newest_edition[kind] = max(newest_edition.get(kind, window), window)
    placed: list[tuple[str, date, PageOf]] = [
        *((cluster, day.date, ReportOf(cluster, day, newest_day[cluster])) for cluster, day in days),
        *(
            (cluster, window.start, EditionOf(cluster, window, newest_edition[cluster, folder_of(window)]))
            for cluster, window in editions
        ),
    ]
    placed.sort(
        key=lambda each: each[1], reverse=True
    )  # stable: a report stands before the editions from its day on
    placed.sort(key=lambda each: each[0])
    return [page for *_, page in placed]


@dataclass(slots=True)
class Writer:
    """Writes pages of what a warehouse tells into a folder. gathered: what was told of each cluster's newest day, if kept."""

    warehouse: Warehouse
    settings: Settings
    out: Path
    gathered: dict[str, Gathered] | None = field(default=None)

    def write(self, page: PageOf) -> Path:
        """The page, with the files beside it. Raises what `gather`, `put_report` and `write_edition` do."""
        if isinstance(page, EditionOf):
            return write_edition(
                self.warehouse, self.settings, page.cluster, page.window, self.out, page.newest
            )[0]
        told = gather(self.warehouse, self.settings, page.cluster, page.day)
        if self.gathered is not None and page.day.date == page.newest:
            self.gathered[page.cluster] = told
        return put_report(rendered(told, self.settings), page.cluster, page.day, self.out, page.newest)[0]

    def write_of_many(self, page: PageOf) -> Path:
        """The same; what it took of memory goes back to the system, where another process may need it."""
        written = self.write(page)
        give_back()
        return written


def opened(lake: Lake, pages: Iterable[PageOf]) -> Warehouse:
    """A warehouse that is asked for these pages, one after the other. Raises LakeError."""
    warehouse = Warehouse.over(lake)
    dates = sorted(page.day.date for page in pages if isinstance(page, ReportOf))
    if len(dates) < 2:
        return warehouse
    return DayByDay(warehouse, Dates(dates[0], dates[-1] + timedelta(days=1)))


def writing(settings: Settings, pages: Sequence[PageOf], out: Path) -> Callable[[PageOf], Path]:
    """What writes any of these pages in a process that has opened nothing yet. Raises LakeError."""
    return Writer(opened(Lake.open(settings.lake), pages), settings, out).write_of_many
