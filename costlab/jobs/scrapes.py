"""How often each signal was scraped, and what is missed where that is not often enough."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from costlab.domain.findings import Finding, Severity
from costlab.domain.signals import SIGNALS, Exporter, Signal
from costlab.domain.time import MINUTE_MS

# Of the pods of a real ML cluster, half of which lived for less than 10 minutes, a scrape every 5 minutes never sees a
# fifth (every 2 minutes: 7 %, every minute: 2 %), though less than 0.1 % of all pods' time. docs/methods.md.
SHORT_LIVED_MS = 5 * MINUTE_MS


def too_seldom(intervals_ms: Mapping[Signal, int], max_gap_ms: int) -> Iterator[Finding]:
    """What scrapes further apart than a sample holds leave unobserved, and pods that they do not see at all."""
    coarse: dict[Exporter, dict[Signal, int]] = defaultdict(dict)
    for signal, interval_ms in intervals_ms.items():
        if interval_ms > max_gap_ms:
            coarse[SIGNALS[signal].exporter][signal] = interval_ms
    for exporter, signals in coarse.items():
        low_s, high_s = min(signals.values()) / 1000, max(signals.values()) / 1000
        every = f"{high_s:g} s" if low_s == high_s else f"{low_s:g} to {high_s:g} s"
        yield Finding(
            "scrape_interval", Severity.WARNING, exporter.value,
            f"samples of {', '.join(sorted(signals))} come every {every} and hold for {max_gap_ms / 1000:g} s: "
            "the rest of the time is unobserved, and all of it for a counter; scrape more often, or raise "
            "billing.max_gap to more than twice that",
        )  # fmt: skip
    interval_ms = intervals_ms.get(Signal.POD_INFO, 0)
    if interval_ms > SHORT_LIVED_MS:
        yield Finding(
            "short_pods_missed", Severity.WARNING, Exporter.KUBE_STATE_METRICS.value,
            f"pods are told of every {interval_ms / 1000:g} s: of those that live half as long every other one is never "
            "seen, and what it cost is in idle; let Prometheus scrape more often",
        )  # fmt: skip
