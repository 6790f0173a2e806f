"""The main job: measure every day that is missing, advise, and write its report."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial

from costlab.config.settings import Cluster, Settings
from costlab.domain.dates import Dates, month_of, week_of
from costlab.domain.errors import (
    ConfigError,
    CostlabError,
    ExitCode,
    NoDay,
    ReconcileError,
    SourceError,
    WorseDay,
)
from costlab.domain.time import Day, day_of, days_between, milliseconds
from costlab.jobs.commit import clear_beside, commit_beside
from costlab.jobs.crew import Coming, Crew, Here, Lazy, Order
from costlab.jobs.editions import AskedEdition, clear_editions, due_editions, put_edition
from costlab.jobs.indexing import Indexed, days_in
from costlab.jobs.measure import put_day
from costlab.jobs.outcome import Outcome
from costlab.jobs.posts import Post, State
from costlab.jobs.quotas.suggest import quotas_beside
from costlab.jobs.report import clear_reports, put_report, reported, told_of
from costlab.jobs.rightsizing.recommend import advice_beside
from costlab.jobs.site import write_site
from costlab.jobs.turns import Pause, Stage, Steps, Turn, Turns
from costlab.publish.files import make_room
from costlab.sources import Source
from costlab.store.lake import READABLE, DayState, Lake
from costlab.store.place import workshop
from costlab.store.spool import sweep
from costlab.store.warehouse import Warehouse

# How far back a night looks by itself; --since reaches further.
CATCH_UP_DAYS = 7
# How many of the last days a night reads again by itself where they are incomplete: a cluster that always is costs
# Prometheus so many days more, and what was cut off for longer than that is asked for by --since.
LATE_DAYS = 3

# How the days of a night end, in the order in which its last line tells them, and how many of each it names.
_ENDS = ("not measured", "in the lake without a report", "not tried", "not written", "in the lake")
_NAMED = 7

# What is made of a measured day and put beside it, one after the other: quotas rest on the advice.
_BESIDE = (
    ("advice", advice_beside, Stage.ADVISED),
    ("quota_advice", quotas_beside, Stage.QUOTAS),
)
NOTHING = Lazy(lambda: None)

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
    crew: Crew | None = None,
) -> Outcome:
    """Measure the days that are due in every cluster, and report them; one cluster's failure does not stop the others.

    `crew` does the work in the place of this process, which reads by `source_of`; what it made is committed here, day by
    day. `ended` is told when a cluster has had its turn. Of each cluster the last day is posted, where it was not before; what
    cannot be delivered is told, and the code is then that of the fault where the night's own is none that is graver. So it is
    with `index`, which is asked for the days of the last week, for it leaves alone what is there.
    Raises the error of the only day there was; of several days, after all had their turn, an error of the first one's
    kind that says which are in the lake and which are not.
    """
    lake = Lake.create(settings.lake, settings.timezone)
    with lake.locked():
        sweep(workshop(lake.path), milliseconds(now))
        today = day_of(now, settings.timezone).date
        night = _Night(settings, asked, lake, milliseconds(now), crew or Here(source_of, step), say, step)
        clusters = settings.chosen()
        tasks = {cluster.id: _tasks(lake, settings, cluster.id, asked, now) for cluster in clusters}
        night.count = sum(map(len, tasks.values()))
        for cluster in clusters:
            night.clear(cluster, settings.report.kept_since(today))
        night.spend(tasks, ended)
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


def late(lake: Lake, settings: Settings, cluster: str, asked: Asked, now: datetime) -> tuple[Day, ...]:
    """The days to read again, oldest first: those that are incomplete, for their samples may have come since.

    They are among the last three, or within the reach of `asked.since`.
    """
    if asked.date or asked.force:
        return ()
    held = lake.days(cluster)
    days = _within_reach(held, settings, asked, now)
    last = days if asked.since else days[-LATE_DAYS:]
    return tuple(day for day in last if held.get(day.date) is DayState.INCOMPLETE)


@dataclass(frozen=True, slots=True)
class _Task:
    """A day to measure and report, or only to report; again: it is in the lake, and stays there whatever comes of it."""

    day: Day
    measured: bool = False
    again: bool = False


def _tasks(lake: Lake, settings: Settings, cluster: str, asked: Asked, now: datetime) -> tuple[_Task, ...]:
    again = late(lake, settings, cluster, asked, now)
    tasks = [_Task(day) for day in due(lake, settings, cluster, asked, now)]
    tasks += [_Task(day, again=True) for day in again]
    tasks += [
        _Task(day, measured=True)
        for day in unreported(lake, settings, cluster, asked, now)
        if day not in again
    ]
    return tuple(sorted(tasks, key=lambda task: task.day.date))


@dataclass(slots=True)
class _Night:
    """What a night does, and how far it has come; `count` days are to be done."""

    settings: Settings
    asked: Asked
    lake: Lake
    now_ms: int
    crew: Crew
    say: Callable[[str], None]
    step: Callable[[str], None]
    count: int = 0
    measured: Counter[str] = field(default_factory=Counter)
    fresh: dict[str, list[date]] = field(
        default_factory=lambda: defaultdict(list)
    )  # measured or reported, by cluster
    worst: Outcome = field(default=Outcome("nothing was due"))
    faults: list[CostlabError] = field(default_factory=list)
    days: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    posting: ExitCode = ExitCode.DONE
    editions: dict[tuple[str, Dates], Coming[dict[str, bytes]]] = field(default_factory=dict)

    def spend(self, tasks: Mapping[str, Sequence[_Task]], ended: Callable[[ClusterEnd], None]) -> None:
        """Do the days of all clusters; what is not the fault of a day alone ends its cluster's."""
        clusters = self.settings.chosen()
        turns = Turns.of(
            self.crew,
            [
                Turn(cluster.id, f"{cluster.id} {task.day}", partial(self._day, cluster, task))
                for cluster in clusters
                for task in tasks[cluster.id]
            ],
        )
        left = {name: len(some) for name, some in tasks.items()}
        codes = {name: [ExitCode.DONE] for name in tasks}
        failed: dict[str, list[ExitCode]] = defaultdict(list)
        for name in [name for name, count in left.items() if not count]:
            ended(ClusterEnd(name, ExitCode.DONE))
        for turn in turns.ended():
            over = [turn, *self._after(turn, turns)]
            codes[turn.cluster] += [turn.outcome.exit_code] if turn.outcome else []
            failed[turn.cluster] += [turn.fault.exit_code] if turn.fault else []
            left[turn.cluster] -= len(over)
            if not left[turn.cluster]:
                # A day that failed is graver than one that is incomplete, whose code is the higher one.
                gravest = max(failed[turn.cluster] or codes[turn.cluster])
                ended(ClusterEnd(turn.cluster, gravest, self.measured[turn.cluster]))

    def _day(self, cluster: Cluster, task: _Task, turn: Turn) -> Steps:
        """What is to be done of a day: measured, advised, reported; whoever does it, it is committed here."""
        lake, settings, day, out = self.lake, self.settings, task.day, self.settings.report.out
        make_room(out / cluster.id)  # before hours are spent on what could not be told
        outcome = Outcome(f"{turn.name}: its report was missing")
        if not task.measured:
            order = Order(settings, cluster, day, self.now_ms, self.asked.force, self.count)
            coming = self.crew.measure(order, lake)
            yield Pause(coming, Stage.MEASURED)
            before = lake.mark(cluster.id, day) if task.again else ""
            try:
                with coming.result() as ready:
                    outcome = put_day(ready, lake, settings, cluster.id, day, self.asked.force, self.step)
            except (NoDay, WorseDay) as fault:
                if not task.again:
                    raise
                self.say(f"{turn.name}: read again, and it stays as it is: {fault.message}")
            fresh = not task.again or lake.mark(cluster.id, day) != before
            if not fresh:  # the night that committed it has told how it is
                outcome = Outcome(f"{turn.name}: its samples are those that the lake has")
                if reported(out, cluster.id, day):
                    return outcome
            self.measured[cluster.id] += fresh
        turn.stage = Stage.MEASURED
        self.say(outcome.line)
        yield Pause(NOTHING, Stage.ADVISED)  # for advice rests on that of the day before
        self.step("advise")
        if self.asked.force:
            clear_beside(lake, cluster.id, day)
        for table, question, stage in _BESIDE:
            made = self.crew.ask(question, lake, settings, cluster.id, day)
            yield Pause(made, stage)
            beside = made.result()
            commit_beside(lake, cluster.id, day, table, beside.rows, beside.run)
            turn.stage = stage
        told = self.crew.ask(told_of, lake, settings, cluster.id, day)
        yield Pause(told, Stage.REPORTED)
        put_report(told.result().files, cluster.id, day, out)
        for alarm in told.result().alarms:
            self.say(f"{turn.name}: {alarm}")
        turn.stage = Stage.REPORTED
        self.fresh[cluster.id].append(day.date)
        for window in (week_of(day.date), month_of(day.date)):
            if window.end == day.next.date:  # all its days are done, so that a crew makes it while others are
                self._edition(cluster.id, window, day)
        return outcome

    def _after(self, turn: Turn, turns: Turns) -> list[Turn]:
        """Book how a day ended; the days of its cluster that are not done because of it."""
        if turn.outcome is not None:
            self.days["in the lake"].append(turn.name)
            self.worst = turn.outcome if turn.outcome.exit_code >= self.worst.exit_code else self.worst
        if turn.fault is None:
            return []
        self.faults.append(turn.fault)
        self._leave(turn, "not measured")
        if self.count > 1:  # the only one's fault is said at the end
            self.say(f"{turn.name}: {turn.fault.message}")
        if isinstance(turn.fault, SourceError | ReconcileError):
            return []  # that day's own fault: the next may be sound
        later = turns.stop(turn)
        for each in later:
            self._leave(each, "not tried")
        return later

    def _leave(self, turn: Turn, otherwise: str) -> None:
        committed = turn.stage >= Stage.MEASURED
        self.days["in the lake without a report" if committed else otherwise].append(turn.name)

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
        days = [
            (cluster, day)
            for cluster, day in days_in(self.lake, clusters)
            if day.date >= since or day.date in self.fresh[cluster]
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
        """Write the weeks and months that are over, or rest on days that are others now. Raises what `put_edition` does."""
        report, days = self.settings.report, self.lake.days(cluster)
        windows = due_editions(
            warehouse,
            days,
            cluster,
            report.out,
            today=today,
            kept_since=report.kept_since(today),
            fresh=self.fresh[cluster],
        )
        asked = [(window, self._edition(cluster, window, self._last(window, days))) for window in windows]
        for window, coming in asked:
            self.step("sum up")
            try:
                if not coming.done():
                    self.crew.wait([coming])
                content = coming.result()
            except ConfigError as fault:  # two currencies do not add up, this night or the next
                self.say(f"{cluster}: {fault.message}")
                continue
            put_edition(content, cluster, window, report.out)
            self.say(f"{cluster}: wrote the edition of {window.name}")

    def _edition(self, cluster: str, window: Dates, last: Day) -> Coming[dict[str, bytes]]:
        """What is made of the window's last day that is held and those before it: asked for once."""
        if (cluster, window) not in self.editions:
            self.editions[cluster, window] = self.crew.ask(
                AskedEdition(window), self.lake, self.settings, cluster, last, soon=False
            )
        return self.editions[cluster, window]

    def _last(self, window: Dates, days: Mapping[date, DayState]) -> Day:
        held = [day for day, state in days.items() if state in READABLE and window.start <= day < window.end]
        return Day(max(held), self.settings.timezone)

    def outcome(self) -> Outcome:
        """The gravest outcome. Raises what `nightly` does."""
        if not self.faults:
            return Outcome(self.worst.line, max(self.worst.exit_code, self.posting))
        first = self.faults[0]
        if self.count <= 1:
            raise first
        told = [f"{what}: {_listed(self.days[what])}" for what in _ENDS if self.days[what]]
        raise type(first)("; ".join(told), first.hint) from first


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
