"""The main job: measure every day that is missing, advise, and write its report."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from costlab.config.settings import Cluster, Settings
from costlab.domain.errors import ConfigError, CostlabError, ExitCode, ReconcileError, SourceError
from costlab.domain.time import Day, day_of, days_between, milliseconds
from costlab.jobs.anomalies import alarms_of
from costlab.jobs.commit import clear_beside
from costlab.jobs.editions import clear_editions, due_editions, write_edition
from costlab.jobs.indexing import Indexed, days_in
from costlab.jobs.measure import measure_day, refuse_open
from costlab.jobs.outcome import Outcome
from costlab.jobs.posts import Post, State
from costlab.jobs.quotas.suggest import suggest_day
from costlab.jobs.report import clear_reports, reported, write_report
from costlab.jobs.rightsizing.recommend import recommend_day
from costlab.jobs.site import write_site
from costlab.publish.files import make_room
from costlab.sources import Source
from costlab.store.lake import READABLE, DayState, Lake
from costlab.store.place import workshop
from costlab.store.spool import sweep
from costlab.store.warehouse import Warehouse

# How far back a night looks by itself; --since reaches further.
CATCH_UP_DAYS = 7

# How the days of a night end, in the order in which its last line tells them, and how many of each it names.
_ENDS = ("not measured", "in the lake without a report", "not tried", "not written", "in the lake")
_NAMED = 7

# What of its posts a night tells.
_SAID = (State.POSTED, State.FAILED, State.NO_SUCH_TEAM)


# The posts of a cluster's day, by whoever makes them.
Posting = Callable[[Lake, str, Day], Iterable[Post]]
# What becomes of days that are brought into Elasticsearch.
Indexing = Callable[[Lake, Iterable[tuple[str, Day]]], Iterable[Indexed]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the night was asked to do: one day, the days since one, or (both None) what is missing."""

    date: Day | None = None
    since: Day | None = None
    force: str | None = None


@dataclass(frozen=True, slots=True)
class ClusterEnd:
    """How the night of one cluster ended: its gravest code, and how many days it brought into the lake."""

    cluster: str
    exit_code: ExitCode
    days: int = 0


def nightly(  # noqa: PLR0913 - every effect is passed in
    settings: Settings,
    asked: Asked,
    *,
    now: datetime,
    source_of: Callable[[Cluster, Day], Source],
    say: Callable[[str], None],
    step: Callable[[str], None] = lambda _: None,
    ended: Callable[[ClusterEnd], None] = lambda _: None,
    posts: Posting | None = None,
    index: Indexing | None = None,
) -> Outcome:
    """Measure the days that are due in every cluster, and report them; one cluster's failure does not stop the others.

    `ended` is told when a cluster has had its turn. Of each cluster the last day is posted, where it was not before; what
    cannot be delivered is told, and the code is then that of the fault where the night's own is none that is graver. So it is
    with `index`, which is asked for the days of the last week, for it leaves alone what is there.
    Raises the error of the only day there was; of several days, after all had their turn, an error of the first one's
    kind that says which are in the lake and which are not.
    """
    lake = Lake.create(settings.lake, settings.timezone)
    with lake.locked():
        sweep(workshop(lake.path), milliseconds(now))
        today = day_of(now, settings.timezone).date
        night = _Night(settings, asked, lake, milliseconds(now), source_of, say, step)
        clusters = settings.chosen()
        tasks = {cluster.id: _tasks(lake, settings, cluster.id, asked, now) for cluster in clusters}
        night.count = sum(map(len, tasks.values()))
        for cluster in clusters:
            night.clear(cluster, settings.report.kept_since(today))
            ended(night.spend(cluster, tasks[cluster.id]))
        night.lead(today)
        since = _back(day_of(now, settings.timezone), CATCH_UP_DAYS).date
        if posts and settings.notify:
            for cluster in clusters:
                night.tell(cluster, posts, since)
        if index:
            night.file([cluster.id for cluster in clusters], index, since)
        return night.outcome()


def due(lake: Lake, settings: Settings, cluster: str, asked: Asked, now: datetime) -> tuple[Day, ...]:
    """The days to measure, oldest first: the one asked for, else those up to yesterday that are not whole.

    They begin at `asked.since`; without it at the lake's first day, but a week back at most, and in a new lake with
    yesterday. A reason to force measures whole days anew.
    """
    if asked.date:
        return (asked.date,)
    held = lake.days(cluster)
    whole = {day for day, state in held.items() if state in (*READABLE, DayState.PRUNED) and not asked.force}
    days = _within_reach(held, settings, asked, now)
    # A day that the calendar left out has no hours: Samoa had no 30 December 2011.
    return tuple(day for day in days if day.date not in whole and day.window.duration_ms)


def unreported(lake: Lake, settings: Settings, cluster: str, asked: Asked, now: datetime) -> tuple[Day, ...]:
    """The days within the same reach that are whole and have no report, oldest first: a night broke off before it.

    Those whose reports are not kept any more are none of them.
    """
    if asked.date or asked.force:
        return ()
    held, out = lake.days(cluster), settings.report.out
    whole = {day for day, state in held.items() if state in READABLE}
    days, kept = (
        _within_reach(held, settings, asked, now),
        settings.report.kept_since(day_of(now, settings.timezone).date),
    )
    whole = {day for day in whole if day >= kept}
    return tuple(day for day in days if day.date in whole and not reported(out, cluster, day))


@dataclass(frozen=True, slots=True)
class _Task:
    """A day to measure and report, or only to report."""

    day: Day
    measured: bool = False


def _tasks(lake: Lake, settings: Settings, cluster: str, asked: Asked, now: datetime) -> tuple[_Task, ...]:
    tasks = [_Task(day) for day in due(lake, settings, cluster, asked, now)]
    tasks += [_Task(day, measured=True) for day in unreported(lake, settings, cluster, asked, now)]
    return tuple(sorted(tasks, key=lambda task: task.day.date))


@dataclass(slots=True)
class _Night:
    """What a night does, and how far it has come; `count` days are to be done."""

    settings: Settings
    asked: Asked
    lake: Lake
    now_ms: int
    source_of: Callable[[Cluster, Day], Source]
    say: Callable[[str], None]
    step: Callable[[str], None]
    count: int = 0
    worst: Outcome = field(default=Outcome("nothing was due"))
    faults: list[CostlabError] = field(default_factory=list)
    days: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    posting: ExitCode = ExitCode.DONE

    def spend(self, cluster: Cluster, tasks: Sequence[_Task]) -> ClusterEnd:
        """Do one cluster's days; what is not the fault of a day alone ends them."""
        out, codes, measured = self.settings.report.out, [ExitCode.DONE], 0
        for place, task in enumerate(tasks):
            name = f"{cluster.id} {task.day}"
            committed = task.measured
            try:
                make_room(out / cluster.id)  # before hours are spent on what could not be told
                outcome = Outcome(f"{name}: its report was missing")
                if not task.measured:
                    outcome = self._measure(cluster, task.day)
                    committed = True
                    measured += 1
                self.say(outcome.line)
                self.step("advise")
                if self.asked.force:
                    clear_beside(self.lake, cluster.id, task.day)
                recommend_day(self.lake, self.settings, cluster.id, task.day)
                suggest_day(self.lake, self.settings, cluster.id, task.day)
                warehouse = Warehouse.over(self.lake)
                write_report(warehouse, self.settings, cluster.id, task.day, out)
                for alarm in alarms_of(warehouse, cluster.id, task.day.date):
                    self.say(f"{name}: {alarm.message}")
            except CostlabError as fault:
                self.faults.append(fault)
                codes.append(fault.exit_code)
                self.days["in the lake without a report" if committed else "not measured"].append(name)
                if self.count > 1:  # the only one's fault is said at the end
                    self.say(f"{name}: {fault.message}")
                if isinstance(fault, SourceError | ReconcileError):
                    continue  # that day's own fault: the next may be sound
                self.days["not tried"] += [f"{cluster.id} {later.day}" for later in tasks[place + 1 :]]
                break
            self.days["in the lake"].append(name)
            codes.append(outcome.exit_code)
            self.worst = outcome if outcome.exit_code >= self.worst.exit_code else self.worst
        return ClusterEnd(cluster.id, max(codes), measured)

    def tell(self, cluster: Cluster, posts: Posting, since: date) -> None:
        """Post the cluster's last day; of those that a night catches up only that one is news, and none that is long gone."""
        days = [
            day for day, state in self.lake.days(cluster.id).items() if state in READABLE and day >= since
        ]
        if not days:
            return
        self.step("post")
        try:
            for post in posts(self.lake, cluster.id, Day(max(days), self.settings.timezone)):
                self.posting = max(self.posting, post.exit_code)
                if post.state in _SAID:
                    self.say(post.line)
        except CostlabError as fault:  # the days are in the lake, and their reports are written
            self.say(f"{cluster.id}: posts: {fault.message}")
            self.posting = max(self.posting, fault.exit_code)

    def file(self, clusters: Sequence[str], index: Indexing, since: date) -> None:
        """Bring the days since then into Elasticsearch, and those that this night measured, however old."""
        self.step("index")
        fresh = {cluster: self.fresh(cluster) for cluster in clusters}
        days = [
            (cluster, day)
            for cluster, day in days_in(self.lake, clusters)
            if day.date >= since or day.date in fresh[cluster]
        ]
        try:
            for done in index(self.lake, days):
                if done.sent:
                    self.say(done.line)
        except CostlabError as fault:  # the days are in the lake, and their reports are written
            self.say(f"elasticsearch: {fault.message}")
            self.posting = max(self.posting, fault.exit_code)

    def clear(self, cluster: Cluster, before: date) -> None:
        """Remove old reports first, so that those of old days which this night makes are there until the next."""
        try:
            gone = clear_reports(self.settings.report.out, cluster.id, before)
            gone += clear_editions(self.settings.report.out, cluster.id, before)
        except ConfigError as fault:  # what is too much there is no reason to measure nothing
            self.say(f"{cluster.id}: {fault.message}")
            return
        if gone:
            self.say(f"{cluster.id}: removed the reports of {_listed(gone)}, as report.keep says")

    def lead(self, today: date) -> None:
        """Write editions and what leads to all reports, also when no day was due: a night may have been killed before."""
        try:
            warehouse = Warehouse.over(self.lake)
            for cluster in self.settings.chosen():
                self.sum_up(warehouse, cluster.id, today)
            write_site(self.lake, self.settings, self.settings.report.out, warehouse)
        except CostlabError as fault:
            self.faults.append(fault)
            self.days["not written"].append("the pages that lead to the reports")

    def sum_up(self, warehouse: Warehouse, cluster: str, today: date) -> None:
        """Write the weeks and months that are over, or rest on days that are others now."""
        report = self.settings.report
        windows = due_editions(
            warehouse,
            self.lake.days(cluster),
            cluster,
            report.out,
            today=today,
            kept_since=report.kept_since(today),
            fresh=self.fresh(cluster),
        )
        for window in windows:
            self.step("sum up")
            try:
                write_edition(warehouse, self.settings, cluster, window, report.out)
            except (
                ConfigError
            ) as fault:  # two currencies do not add up, this night or the next: the days are sound
                self.say(f"{cluster}: {fault.message}")
            else:
                self.say(f"{cluster}: wrote the edition of {window.name}")

    def fresh(self, cluster: str) -> list[date]:
        """The days of a cluster that this night brought into the lake, or reported."""
        told = (name.partition(" ")[::2] for name in self.days["in the lake"])
        return [date.fromisoformat(day) for of, day in told if of == cluster]

    def outcome(self) -> Outcome:
        """The gravest outcome. Raises what `nightly` does."""
        if not self.faults:
            return Outcome(self.worst.line, max(self.worst.exit_code, self.posting))
        first = self.faults[0]
        if self.count <= 1:
            raise first
        told = [f"{what}: {_listed(self.days[what])}" for what in _ENDS if self.days[what]]
        raise type(first)("; ".join(told), first.hint) from first

    def _measure(self, cluster: Cluster, day: Day) -> Outcome:
        refuse_open(day, self.settings, cluster, self.now_ms)
        source = self.source_of(cluster, day)
        refuse_open(day, self.settings, cluster, self.now_ms, source.ahead_s())
        return measure_day(
            source, self.lake, self.settings, cluster.id, day, force=self.asked.force, step=self.step
        )


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _within_reach(
    held: Mapping[date, DayState], settings: Settings, asked: Asked, now: datetime
) -> tuple[Day, ...]:
    yesterday = day_of(now, settings.timezone).previous
    first = asked.since or yesterday
    if held and not asked.since:
        first = max(Day(min(held), settings.timezone), _back(yesterday, CATCH_UP_DAYS - 1))
    return days_between(first, yesterday)


def _back(day: Day, count: int) -> Day:
    for _ in range(count):
        day = day.previous
    return day
