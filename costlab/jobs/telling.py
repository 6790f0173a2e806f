"""Tell Prometheus of a night, however it ended."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import chain
from typing import Any, TypeVar

from costlab.config.settings import Settings
from costlab.domain import metrics
from costlab.domain.dates import Dates
from costlab.domain.errors import CostlabError, ExitCode
from costlab.domain.metrics import Sample
from costlab.domain.time import Day
from costlab.jobs.budgets import Standing, exceeded_on, standings
from costlab.jobs.nightly import ClusterEnd
from costlab.jobs.outcome import Outcome
from costlab.jobs.outlook import PAST_DAYS
from costlab.publish.metrics import push, write_textfile
from costlab.render.exposition import exposition
from costlab.store.lake import READABLE, Lake
from costlab.store.place import located
from costlab.store.successes import last_successes, remember
from costlab.store.warehouse import Warehouse

T = TypeVar("T")
Night = Callable[[Callable[[ClusterEnd], None]], Outcome]

# With these codes every day that was due is in the lake.
SUCCESSES = (ExitCode.DONE, ExitCode.INCOMPLETE)

_OF_TEAMS = ("used", "unused", "unobserved")
_OF_CLUSTERS = (*_OF_TEAMS, "idle", "system", "beside")


def told(
    night: Night,
    settings: Settings,
    *,
    now: datetime,
    elapsed_s: Callable[[], float],
    say: Callable[[str], None],
) -> Outcome:
    """How the night ends, after its metrics were left where the configuration says; raises what the night raises.

    `now` is when it began, and `elapsed_s` the seconds since then. What hinders the metrics is said, and ends nothing.
    """
    watch = _Watch(now.timestamp(), elapsed_s)
    code = ExitCode.UNEXPECTED
    try:
        outcome = night(watch.note)
        code = outcome.exit_code
    except CostlabError as fault:
        code = fault.exit_code
        raise
    except (KeyboardInterrupt, SystemExit):
        code = ExitCode.INTERRUPTED
        raise
    else:
        return outcome
    finally:
        if settings.metrics.textfile or settings.metrics.pushgateway:
            for cluster in settings.clusters:
                if cluster.id not in watch.ends:  # the night ended before its turn was over
                    watch.note(ClusterEnd(cluster.id, code))
            _leave(settings, watch, code, say)


def run_samples(end: ClusterEnd, ended_s: float, took_s: float, success_s: float | None) -> Iterator[Sample]:
    """What there is to tell of a cluster's night; without any success so far, nothing of one."""
    if success_s is not None:
        yield metrics.LAST_SUCCESS.sample(success_s, end.cluster)
    yield metrics.LAST_RUN.sample(ended_s, end.cluster)
    yield metrics.EXIT_CODE.sample(int(end.exit_code), end.cluster)
    yield metrics.DURATION.sample(took_s, end.cluster)
    yield metrics.MEASURED.sample(end.days, end.cluster)


def day_samples(lake: Lake, settings: Settings, cluster: str) -> Iterator[Sample]:
    """What there is to tell of the cluster's newest day, and of the budgets on it; nothing where the lake has none."""
    days = [day for day, state in lake.days(cluster).items() if state in READABLE]
    if not days:
        return
    day, warehouse = Day(max(days), lake.timezone), Warehouse.over(lake)

    def rows(query: str) -> list[dict[str, Any]]:
        return warehouse.query(query, cluster=cluster, day=str(day)).to_pylist()  # type: ignore[no-any-return]  # of pyarrow

    [run], [total] = rows("day_run"), rows("headline")
    yield metrics.DAY.sample(day.window.start_ms / 1000, cluster)
    yield metrics.SAMPLES.sample(run["samples"], cluster)
    yield metrics.COVERAGE.sample(run["coverage"], cluster)
    if total["total_cost"] is None or total["currency"] is None:  # nothing had a price, or there was nothing
        return
    for part in _OF_CLUSTERS:
        yield metrics.COST.sample(total[f"{part}_cost"], cluster, part, total["currency"])
    for team in rows("teams"):
        for part in _OF_TEAMS:
            yield metrics.TEAM_COST.sample(
                team[f"{part}_cost"], cluster, team["team"], part, team["currency"]
            )
    yield from _savings(rows("savings"), cluster)
    concerned = [budget for budget in settings.budgets if budget.cluster in (None, cluster)]
    if concerned:
        window = Dates(day.date - timedelta(days=PAST_DAYS - 1), day.date + timedelta(days=1))
        yield from budget_samples(standings(warehouse, concerned, window, settings.forecast), cluster, day)


def budget_samples(standing: Iterable[Standing], cluster: str, day: Day) -> Iterator[Sample]:
    """How the budgets stand at the end of a cluster's day; nothing of one that no charge is of."""
    for each in standing:
        budget, outlook = each.budget, each.outlook
        if outlook is None or outlook.currency is None:
            continue
        labels = (cluster, budget.dimension, budget.subject, outlook.currency)
        yield metrics.BUDGET.sample(budget.monthly, *labels)
        yield metrics.BUDGET_SPENT.sample(outlook.month_cost, *labels)
        yield metrics.BUDGET_EXPECTED.sample(outlook.by_month_end()[0], *labels)
        if on := exceeded_on(budget, outlook):
            ended_s = Day(on, day.timezone).window.end_ms / 1000
            yield metrics.BUDGET_EXHAUSTED.sample(ended_s, *labels)


def _savings(advice: list[dict[str, Any]], cluster: str) -> Iterator[Sample]:
    """Of each team the sum of its cuts."""
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in advice:
        if (row["monthly_saving_gross"] or 0) > 0:
            sums[row["team"], row["currency"]] += row["monthly_saving_gross"]
    for (team, currency), saving in sorted(sums.items()):
        yield metrics.SAVING.sample(saving, cluster, team, currency)


@dataclass(slots=True)
class _Watch:
    """How each cluster's night ended, and when: one comes after the other."""

    began_s: float
    elapsed_s: Callable[[], float]
    ends: dict[str, tuple[ClusterEnd, float, float]] = field(default_factory=dict)
    _before_s: float = 0

    def note(self, end: ClusterEnd) -> None:
        """A cluster's night ended just now."""
        now_s = self.elapsed_s()
        self.ends[end.cluster] = (end, self.began_s + now_s, now_s - self._before_s)
        self._before_s = now_s


def _leave(settings: Settings, watch: _Watch, code: ExitCode, say: Callable[[str], None]) -> None:
    """Every part that can be had, where it should be; what cannot is said."""

    def tried(what: Callable[[], T]) -> T | None:
        try:
            return what()
        except CostlabError as fault:
            say(f"metrics: {fault.message}")
            return None

    def of_day(cluster: str) -> list[Sample]:
        return (
            list(day_samples(Lake.open(settings.lake), settings, cluster))
            if Lake.exists(settings.lake)
            else []
        )

    fresh = {
        cluster: ended_s for cluster, (end, ended_s, _) in watch.ends.items() if end.exit_code in SUCCESSES
    }
    tried(lambda: remember(located(settings.lake), fresh))
    successes = (tried(lambda: last_successes(located(settings.lake))) or {}) | fresh
    if (
        len(fresh) == len(watch.ends) and code not in SUCCESSES
    ):  # what failed came after all clusters, and is of each
        watch.ends = {
            cluster: (replace(end, exit_code=code), ended_s, took_s)
            for cluster, (end, ended_s, took_s) in watch.ends.items()
        }
    samples = {
        cluster: [*run_samples(*end, successes.get(cluster)), *(tried(partial(of_day, cluster)) or ())]
        for cluster, end in watch.ends.items()
    }
    if settings.metrics.textfile:
        tried(
            partial(
                write_textfile, settings.metrics.textfile, exposition(chain.from_iterable(samples.values()))
            )
        )
    if settings.metrics.pushgateway:
        for cluster, held in samples.items():
            tried(partial(push, settings.metrics.pushgateway, cluster, exposition(held)))
