"""The main job: measure every day that is missing, advise, and write its report."""

from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial

from costlab.config.settings import Cluster, Settings
from costlab.domain.errors import (
    CostlabError,
    CrewUnavailable,
    ExitCode,
    LakeFull,
    ReconcileError,
    SourceError,
)
from costlab.domain.time import Day, day_of, milliseconds
from costlab.jobs.commit import clear_beside, commit_beside
from costlab.jobs.crew import Crew, Here, Lazy, Order, Urgency
from costlab.jobs.due import CATCH_UP_DAYS, Asked, Task, back, tasks_of
from costlab.jobs.indexing import Indexed, days_in
from costlab.jobs.measure import put_day
from costlab.jobs.night_pages import NightPages
from costlab.jobs.outcome import Outcome, listed
from costlab.jobs.posts import Post, State
from costlab.jobs.quotas.suggest import quotas_beside
from costlab.jobs.report import FILES, put_report, reported, told_of
from costlab.jobs.rightsizing.recommend import advice_beside
from costlab.jobs.turns import Pause, Stage, Steps, Turn, Turns
from costlab.publish.files import make_room, take_away
from costlab.sources import Source
from costlab.store.lake import READABLE, Lake
from costlab.store.place import workshop
from costlab.store.spool import sweep
from costlab.store.torn import set_aside

# How the days of a night end, in the order in which its last line tells them.
_ENDS = ("not measured", "in the lake without a report", "not tried", "not written", "in the lake")

# What is made of a measured day and put beside it, one after the other: quotas rest on the advice.
_BESIDE = (
    ("advice", advice_beside, Stage.ADVISED, Urgency.LATER_DAYS),
    ("quota_advice", quotas_beside, Stage.QUOTAS, Urgency.OWN_DAY),
)
NOTHING = Lazy(lambda: None)
# How a day ends that would have been told anew, had one before it changed.
_AS_IT_WAS = Outcome("")


# The posts of a cluster's day, by whoever makes them.
Posting = Callable[[Lake, str, Day], Iterable[Post]]
# What becomes of days that are brought into Elasticsearch.
Indexing = Callable[[Lake, Iterable[tuple[str, Day]]], Iterable[Indexed]]


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
    warn: Callable[[str], None] | None = None,
    fail: Callable[[str], None] | None = None,
    step: Callable[[str], None] = lambda _: None,
    ended: Callable[[ClusterEnd], None] = lambda _: None,
    posts: Posting | None = None,
    index: Indexing | None = None,
    crew: Crew | None = None,
) -> Outcome:
    """Measure the days that are due in every cluster, and report them; one cluster's failure does not stop the others.

    `crew` does the work in the place of this process, which reads by `source_of`; what it made is committed here, day by
    day. `warn` says what is not as it should be, and `fail` what failed and gives the night its code; without them `say` does.
    `ended` is told when a cluster has had its turn. Of each cluster the last day is posted, where it was not before; what
    cannot be delivered is told, and the code is then that of the fault where the night's own is none that is graver. So it is
    with `index`, which is asked for the days of the last week, for it leaves alone what is there.
    Raises the error of the only day there was; of several days, after all had their turn, an error of the first one's
    kind that says which are in the lake and which are not.
    """
    lake = Lake.create(settings.lake, settings.timezone)
    with lake.locked(heed=partial(set_aside, say=say)):
        sweep(workshop(lake.path), milliseconds(now))
        today = day_of(now, settings.timezone).date
        voices = say, warn or say, fail or say, step
        workers = crew or Here(source_of, step)
        pages = NightPages(settings, lake, workers, say, warn or say, step)
        night = _Night(settings, asked, lake, milliseconds(now), workers, pages, *voices)
        clusters = settings.chosen()
        tasks = {cluster.id: tasks_of(lake, settings, cluster.id, asked, now) for cluster in clusters}
        night.count = sum(not task.follows for some in tasks.values() for task in some)
        for cluster in clusters:
            night.pages.clear(cluster.id, today)
        night.spend(tasks, ended)
        night.lead(today)
        since = back(day_of(now, settings.timezone), CATCH_UP_DAYS).date
        if posts and settings.notify:
            for cluster in clusters:
                night.tell(cluster, posts, since)
        if index:
            night.file([cluster.id for cluster in clusters], index, since)
        return night.outcome()


@dataclass(slots=True)
class _Night:
    """What a night does, and how far it has come; `count` days are to be done."""

    settings: Settings
    asked: Asked
    lake: Lake
    now_ms: int
    crew: Crew
    pages: NightPages
    say: Callable[[str], None]
    warn: Callable[[str], None]
    fail: Callable[[str], None]
    step: Callable[[str], None]
    count: int = 0
    tasks: dict[str, Task] = field(default_factory=dict)  # by the names of their turns
    shut: set[str] = field(default_factory=set)  # clusters whose servers let nobody in
    changed: dict[str, date] = field(default_factory=dict)  # the first day that is another now, by cluster
    measured: Counter[str] = field(default_factory=Counter)
    fresh: dict[str, list[date]] = field(
        default_factory=lambda: defaultdict(list)
    )  # measured or reported, by cluster
    worst: Outcome = field(default=Outcome("nothing was due"))
    faults: list[CostlabError] = field(default_factory=list)
    days: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    posting: ExitCode = ExitCode.DONE

    def spend(self, tasks: Mapping[str, Sequence[Task]], ended: Callable[[ClusterEnd], None]) -> None:
        """Do the days of all clusters; what is not the fault of a day alone ends its cluster's."""
        days = [
            Turn(cluster.id, f"{cluster.id} {task.day}", partial(self._day, cluster, task))
            for cluster in self.settings.chosen()
            for task in tasks[cluster.id]
        ]
        self.tasks = {f"{name} {task.day}": task for name, some in tasks.items() for task in some}
        turns = Turns.of(self.crew, days)
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

    def _day(self, cluster: Cluster, task: Task, turn: Turn) -> Steps:
        """What is to be done of a day: measured, advised, reported; whoever does it, it is committed here."""
        lake, settings, day, out = self.lake, self.settings, task.day, self.settings.report.out
        make_room(out / cluster.id)  # before hours are spent on what could not be told
        outcome = None
        if not task.measured:
            outcome = yield from self._measure(cluster, task, turn)
        turn.stage = Stage.MEASURED
        if outcome is None:
            yield Pause(NOTHING, Stage.MEASURED)  # for whether it stands depends on those before it
            outcome, stands = self._as_held(cluster.id, task)
            if stands:
                return outcome
        self.count += task.follows
        (self.warn if outcome.exit_code else self.say)(outcome.line)
        yield Pause(NOTHING, Stage.ADVISED)  # for advice rests on that of the day before
        self.step("advise")
        if self.asked.force:
            clear_beside(lake, cluster.id, day)
        for table, question, stage, urgency in _BESIDE:
            made = self.crew.ask(question, lake, settings, cluster.id, day, urgency=urgency)
            yield Pause(made, stage)
            beside = made.result()
            commit_beside(lake, cluster.id, day, table, beside.rows, beside.run)
            turn.stage = stage
        coming = self.crew.ask(told_of, lake, settings, cluster.id, day)
        yield Pause(coming, Stage.REPORTED)
        told = coming.result()
        put_report(told.files, cluster.id, day, out)
        for alarm in told.alarms:
            self.say(f"{turn.name}: {alarm}")
        turn.stage = Stage.REPORTED
        self.fresh[cluster.id].append(day.date)
        self.pages.ask(cluster.id, day)
        return outcome

    def _measure(self, cluster: Cluster, task: Task, turn: Turn) -> Generator[Pause, None, Outcome | None]:
        """How a day is in the lake; None for one that was read again and is as it was: that night has told of it."""
        lake, day, force = self.lake, task.day, self.asked.force
        if task.again and cluster.id in self.shut:
            return None
        coming = self.crew.measure(Order(self.settings, cluster, day, self.now_ms, force, self.count), lake)
        yield Pause(coming, Stage.MEASURED)
        before = lake.mark(cluster.id, day)
        outcome = None
        try:
            with coming.result() as ready:
                outcome = put_day(ready, lake, self.settings, cluster.id, day, force, self.step)
        except CostlabError as fault:
            if _of_every_day(fault):
                self.shut.add(cluster.id)
            if not task.again or isinstance(fault, CrewUnavailable | LakeFull):
                raise
            # The day is in the lake, and others are due: what may be had beside is no reason to leave them.
            self.warn(f"{turn.name}: read again, and it stays as it is: {fault.message}")
        if lake.mark(cluster.id, day) != before:
            turn.stage = Stage.MEASURED
            self._outdate(cluster.id, day)
        elif task.again:
            return None
        self.measured[cluster.id] += 1
        return outcome

    def _as_held(self, cluster: str, task: Task) -> tuple[Outcome, bool]:
        """How a day ends that this night did not measure, and whether what was told of it stands."""
        name = f"{cluster} {task.day}"
        if self.changed.get(cluster, date.max) < task.day.date:
            return Outcome(f"{name}: told anew, for a day before it has changed"), False
        if task.follows:
            return _AS_IT_WAS, True
        if reported(self.settings.report.out, cluster, task.day):
            return Outcome(f"{name}: its samples are those that the lake has"), True
        return Outcome(f"{name}: its report was missing"), False

    def _outdate(self, cluster: str, changed: Day) -> None:
        """Note that what was told of later days rests on what a day was before.

        Their reports lack a file until they are made anew: a night that is killed before leaves them to the next.
        """
        self.changed[cluster] = min(changed.date, self.changed.get(cluster, date.max))
        for name, task in self.tasks.items():
            held = name == f"{cluster} {task.day}" and not task.reads
            if held and task.day.date > changed.date:
                take_away(self.settings.report.out / cluster / str(task.day), FILES[-1:])

    def _after(self, turn: Turn, turns: Turns) -> list[Turn]:
        """Book how a day ended; the days of its cluster that are not done because of it."""
        if turn.outcome not in (None, _AS_IT_WAS):
            self.days["in the lake"].append(turn.name)
            self.worst = turn.outcome if turn.outcome.exit_code >= self.worst.exit_code else self.worst
        if turn.fault is None:
            return []
        self.faults.append(turn.fault)
        self._leave(turn, "not measured")
        if self.count > 1:  # the only one's fault is said at the end
            self.fail(f"{turn.name}: {turn.fault.message}")
        if _of_every_day(turn.fault):
            # What needs no source is done all the same, and what others have read by now is not thrown away.
            later = turns.stop(turn, lambda each: self.tasks[each.name].reads and not each.made())
        elif isinstance(turn.fault, SourceError | ReconcileError):
            return []  # that day's own fault: the next may be sound
        else:
            later = turns.stop(turn)
        for each in later:
            if not self.tasks[each.name].follows:
                self._leave(each, "not tried")
        return later

    def _leave(self, turn: Turn, otherwise: str) -> None:
        committed = turn.stage >= Stage.MEASURED
        self.days["in the lake without a report" if committed else otherwise].append(turn.name)

    def lead(self, today: date) -> None:
        """Write what is beside the reports of days; that it cannot be is a fault of the night."""
        try:
            self.pages.write(today, self.fresh)
        except CostlabError as fault:
            self.faults.append(fault)
            self.days["not written"].append("the pages that lead to the reports")

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
                if post.exit_code:
                    self.fail(post.line)
                elif post.state is State.NO_SUCH_TEAM or not post.sure:
                    self.warn(post.line)
                elif post.state is State.POSTED:
                    self.say(post.line)
        except CostlabError as fault:  # the days are in the lake, and their reports are written
            self.fail(f"{cluster.id}: posts: {fault.message}")
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
            self.fail(f"elasticsearch: {fault.message}")
            self.posting = max(self.posting, fault.exit_code)

    def outcome(self) -> Outcome:
        """The gravest outcome. Raises what `nightly` does."""
        if not self.faults:
            own = self.worst.exit_code
            sound = own in (ExitCode.DONE, ExitCode.INCOMPLETE)  # a post that failed is graver
            return Outcome(self.worst.line, self.posting or own if sound else own)
        first = self.faults[0]
        if self.count <= 1:
            [name, *_] = self.days["not measured"] or self.days["in the lake without a report"] or [""]
            if not name or len(self.settings.chosen()) == 1:
                raise first
            raise type(first)(f"{name}: {first.message}", first.hint) from first
        told = [f"{what}: {listed(self.days[what])}" for what in _ENDS if self.days[what]]
        raise type(first)("; ".join(told), first.hint) from first


def _of_every_day(fault: CostlabError) -> bool:
    return isinstance(fault, SourceError) and fault.every_day
