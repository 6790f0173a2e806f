"""Charge days that are in the lake already: after a bill was imported, or prices or owners have changed."""

from collections.abc import Iterator, Sequence

from costlab.config.settings import Settings
from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError, CostlabError
from costlab.domain.time import Day
from costlab.jobs.measure import compute_day
from costlab.jobs.outcome import Outcome
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


def compute_days(lake: Lake, settings: Settings, days: Sequence[tuple[str, Day]]) -> Iterator[Outcome]:
    """Charge days, each by itself: how each ended, as soon as it has; one day's fault does not stop the others.

    Raises the error of the only day there was; of several, after all had their turn, an error of the gravest one's
    kind that names those that were not computed.
    """
    faults: dict[str, CostlabError] = {}
    for cluster, day in days:
        try:
            outcome = compute_day(lake, settings, cluster, day)
        except CostlabError as fault:
            if len(days) == 1:
                raise
            faults[f"{cluster} {day}"] = fault
            outcome = Outcome(f"{cluster} {day}: not computed: {fault.message}", fault.exit_code)
        yield outcome
    if faults:
        gravest = max(faults.values(), key=lambda fault: fault.exit_code)
        raise type(gravest)(f"not computed: {', '.join(faults)}", gravest.hint) from gravest
