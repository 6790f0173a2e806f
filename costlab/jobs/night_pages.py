"""What a night does in the folder of reports beside those of its days: old ones go, editions and what leads to all are written."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date

from costlab.config.settings import Settings
from costlab.domain.dates import Dates, month_of, week_of
from costlab.domain.errors import ConfigError
from costlab.domain.time import Day
from costlab.jobs.crew import Coming, Crew, Urgency
from costlab.jobs.editions import AskedEdition, clear_editions, due_editions, put_edition
from costlab.jobs.outcome import listed
from costlab.jobs.report import clear_reports
from costlab.jobs.site import write_site
from costlab.store.lake import READABLE, DayState, Lake
from costlab.store.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class NightPages:
    """The folder of reports, and the editions that a crew has been asked for."""

    settings: Settings
    lake: Lake
    crew: Crew
    say: Callable[[str], None]
    warn: Callable[[str], None]
    step: Callable[[str], None]
    asked: dict[tuple[str, Dates], Coming[dict[str, bytes]]] = field(default_factory=dict)

    def clear(self, cluster: str, today: date) -> None:
        """Remove old reports first, so that those of old days which this night makes are there until the next."""
        report = self.settings.report
        try:
            gone = clear_reports(report.out, cluster, report.kept_since(today))
            gone += clear_editions(report.out, cluster, report.kept_since(today))
        except ConfigError as fault:  # what is too much there is no reason to measure nothing
            self.warn(f"{cluster}: {fault.message}")
            return
        if gone:
            self.say(f"{cluster}: removed the reports of {listed(gone)}, as report.keep says")

    def ask(self, cluster: str, day: Day) -> None:
        """Ask for the editions whose last day this is: all their days are done, so a crew makes them while others are."""
        for window in (week_of(day.date), month_of(day.date)):
            if window.end == day.next.date:
                self._edition(cluster, window, day)

    def write(self, today: date, fresh: Mapping[str, Collection[date]]) -> None:
        """Write editions and what leads to all reports, also when no day was due: a night may have been killed before.

        fresh: the days of each cluster that this night has made. Raises LakeError, and what writing raises.
        """
        warehouse = Warehouse.over(self.lake)
        for cluster in self.settings.chosen():
            self._sum_up(warehouse, cluster.id, today, fresh.get(cluster.id, ()))
        write_site(self.lake, self.settings, self.settings.report.out, warehouse)

    def _sum_up(self, warehouse: Warehouse, cluster: str, today: date, fresh: Collection[date]) -> None:
        """Write the weeks and months that are over, or rest on days that are others now."""
        report, days = self.settings.report, self.lake.days(cluster)
        kept = report.kept_since(today)
        windows = due_editions(
            warehouse, days, cluster, report.out, today=today, kept_since=kept, fresh=fresh
        )
        asked = [(window, self._edition(cluster, window, self._last(window, days))) for window in windows]
        for window, coming in asked:
            self.step("sum up")
            try:
                if not coming.done():
                    self.crew.wait([coming])
                content = coming.result()
            except ConfigError as fault:  # two currencies do not add up, this night or the next
                self.warn(f"{cluster}: {fault.message}")
                continue
            put_edition(content, cluster, window, report.out)
            self.say(f"{cluster}: wrote the edition of {window.name}")

    def _edition(self, cluster: str, window: Dates, last: Day) -> Coming[dict[str, bytes]]:
        """What is made of the window's last day that is held and those before it: asked for once."""
        if (cluster, window) not in self.asked:
            self.asked[cluster, window] = self.crew.ask(
                AskedEdition(window), self.lake, self.settings, cluster, last, urgency=Urgency.NOTHING
            )
        return self.asked[cluster, window]

    def _last(self, window: Dates, days: Mapping[date, DayState]) -> Day:
        held = [day for day, state in days.items() if state in READABLE and window.start <= day < window.end]
        return Day(max(held), self.settings.timezone)
