"""Charge days that are in the lake already: after a bill was imported, or prices or owners have changed."""

from collections.abc import Iterator, Sequence
from functools import partial

from costlab.config.settings import Settings
from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError, CostlabError
from costlab.domain.time import Day
from costlab.jobs.crew import Alone, Answering
from costlab.jobs.measure import computed, put_computed
from costlab.jobs.outcome import Outcome
from costlab.jobs.turns import Pause, Stage, Steps, Turn, Turns
from costlab.store.lake import Lake


def days_held(lake: Lake, clusters: Sequence[str], window: Dates) -> list[tuple[str, Day]]:
    """The days of a window that the lake holds of these clusters, of each oldest first; raises ConfigError for none."""
    held = [
        (cluster, Day(date, lake.timezone))
        for cluster in clusters
        for date in lake.days(cluster)
        if window.start <= date < window.end
    ]
    if not held:
        raise ConfigError(
            f"no day from {window.start} to before {window.end} of {', '.join(clusters)} is in the lake",
            f"read them first: costlab nightly --since {window.start}",
        )
    return held


def compute_days(
    lake: Lake, settings: Settings, days: Sequence[tuple[str, Day]], crew: Answering | None = None
) -> Iterator[Outcome]:
    """Charge days, each by itself: how each ended, as soon as it has; one day's fault does not stop the others.

    crew: does the work in the place of this process, which commits. Raises the error of the only day there was; of
    several, after all had their turn, an error of the gravest one's kind that names those that were not computed.
    """
    crew = crew or Alone()

    def steps(cluster: str, day: Day, turn: Turn) -> Steps:
        coming = crew.ask(computed, lake, settings, cluster, day)
        yield Pause(coming, Stage.MEASURED)
        outcome = put_computed(coming.result(), lake, settings, cluster, day)
        turn.stage = Stage.MEASURED
        return outcome

    faults: dict[str, CostlabError] = {}
    turns = [Turn(cluster, f"{cluster} {day}", partial(steps, cluster, day)) for cluster, day in days]
    for turn in Turns.of(crew, turns).ended():
        if turn.fault is None:
            yield turn.outcome or Outcome(turn.name)
            continue
        if len(days) == 1:
            raise turn.fault
        faults[turn.name] = turn.fault
        yield Outcome(f"{turn.name}: not computed: {turn.fault.message}", turn.fault.exit_code)
    if faults:
        gravest = max(faults.values(), key=lambda fault: fault.exit_code)
        raise type(gravest)(f"not computed: {', '.join(faults)}", gravest.hint) from gravest
