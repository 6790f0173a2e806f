"""The server itself: its clock, how far back it reaches, and whether its limits let a day through."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from costlab.config.section import DAY_MS
from costlab.config.servers import Engine
from costlab.domain.signals import Signal
from costlab.domain.time import HOUR_MS, MINUTE_MS, day_of
from costlab.jobs.doctor.check import Check
from costlab.jobs.doctor.inquiry import Inquiry
from costlab.sources.prometheus.catalogue import Metric
from costlab.sources.prometheus.tasks import FLOOR_MS

SKEW_S = 30.0
KEPT_MS = 3 * DAY_MS  # a day, the day that catches it up, and a margin
_UNITS_MS = {
    "ms": 1,
    "s": 1000,
    "m": MINUTE_MS,
    "h": HOUR_MS,
    "d": DAY_MS,
    "w": 7 * DAY_MS,
    "y": 365 * DAY_MS,
}
_MONTH_MS = 31 * DAY_MS
# The most samples one query may hold, and the most series, by the flag that says so.
_SAMPLE_LIMITS = ("query.max-samples", "search.maxSamplesPerQuery")
_READ_LIMITS = ("storage.remote.read-sample-limit",)  # of remote read that gives samples, and not chunks
_SERIES_LIMITS = {
    Engine.VICTORIA_EXPORT: ("search.maxExportSeries", "search.maxUniqueTimeseries"),
    Engine.JSON: ("search.maxUniqueTimeseries",),
}
_PARALLEL_LIMITS = {
    Engine.REMOTE_READ: ("storage.remote.read-concurrent-limit",),
    Engine.JSON: ("query.max-concurrency", "query.max-concurrent", "search.maxConcurrentRequests"),
    Engine.VICTORIA_EXPORT: ("search.maxConcurrentRequests",),
}


@dataclass(frozen=True, slots=True)
class Carried:
    """The metric that carries a signal here, and how many series it has now."""

    metric: Metric
    series: int


def clock(inquiry: Inquiry) -> Check:
    """Whether both clocks agree."""
    skew_s = inquiry.ahead_s()
    if abs(skew_s) <= SKEW_S:
        apart = "within a second of" if abs(skew_s) < 1 else f"{skew_s:+.0f} s from"
        return inquiry.fine("clock", f"{apart} ours")
    text = f"{skew_s:+.0f} s from ours: days begin and end by its clock"
    return inquiry.odd("clock", text, "let NTP keep both machines' time")


def retention(inquiry: Inquiry) -> Check:
    """Whether yesterday is still there as a whole, and will be the next time."""
    kept = _kept(inquiry.product.limits)
    told = f"; it keeps {kept[1]}" if kept else ""
    keep = "keep at least 3 days (--storage.tsdb.retention.time, -retentionPeriod)"
    yesterday = day_of(inquiry.now, inquiry.settings.timezone).previous
    if not inquiry.count(inquiry.pods, yesterday.window.start_ms + inquiry.settings.billing.max_gap_ms):
        new = "a new server only needs time; else see whether kube-state-metrics was scraped then"
        mend = new if kept and kept[0] >= KEPT_MS else f"{keep}; {new}"
        return inquiry.odd("retention", f"no pods at the start of {yesterday}{told}", mend)
    text = f"reaches back to the start of {yesterday}{told}"
    if kept and kept[0] < KEPT_MS:
        return inquiry.odd("retention", f"{text}: a night that is missed is lost", keep)
    return inquiry.fine("retention", text)


def limits(inquiry: Inquiry, carried: Mapping[Signal, Carried]) -> Iterator[Check]:
    """Whether a day comes through what the server allows one query, as far as it tells."""
    if not carried:
        return
    largest = max(carried.values(), key=lambda one: one.series)
    every_s = _interval_s(inquiry, largest.metric)
    if every_s is None:
        text = f"nobody knows how often: {largest.metric.name} has no samples in the last hour"
        yield inquiry.odd("limits", text, "see whether its targets are up")
        return
    series = sum(one.series for one in carried.values())
    day = f"a day is about {_short(series * 86_400 / every_s)} samples, one in {every_s:.0f} s of {series:,} series"
    narrow, told = _too_narrow(inquiry, largest, every_s)
    if narrow:
        yield inquiry.odd("limits", f"{day}; {narrow}", "raise it, or narrow with prometheus.matchers")
    else:
        yield inquiry.fine("limits", f"{day}; {told}")
    yield from _parallel(inquiry)


def _too_narrow(inquiry: Inquiry, largest: Carried, every_s: float) -> tuple[str, str]:
    """What one query may not hold (empty when all is well), and else what it may."""
    limits, engine = inquiry.product.limits, inquiry.engine
    for flag in _SERIES_LIMITS.get(engine, ()) if engine else ():
        most = _number(limits.get(flag))
        if most is not None and most < largest.series:
            return (
                f"{flag}={limits[flag]} is less than the {largest.series:,} series of {largest.metric.name}",
                "",
            )
    if inquiry.streams:
        return "", "it streams: its limits of samples do not count"
    for flag in _READ_LIMITS if engine is Engine.REMOTE_READ else _SAMPLE_LIMITS:
        most = _number(limits.get(flag))
        if not most:  # it tells none, or has none
            continue
        holds_ms = most * every_s * 1000 / largest.series
        text = f"{flag}={limits[flag]} holds {_long(holds_ms)} of {largest.metric.name}"
        if holds_ms < FLOOR_MS:
            return f"{text}: its windows of 5 minutes must be parted by a label", ""
        return "", text
    return "", "the server does not tell its limits"


def _parallel(inquiry: Inquiry) -> Iterator[Check]:
    ours = inquiry.cluster.prometheus.max_in_flight
    for flag in _PARALLEL_LIMITS.get(inquiry.engine, ()) if inquiry.engine else ():
        most = _number(inquiry.product.limits.get(flag))
        if most is not None and most <= ours:
            text = f"prometheus.max_in_flight={ours} takes all that {flag}={inquiry.product.limits[flag]} lets in"
            yield inquiry.odd(
                "queries at a time", text, "lower it: alerts and people wait behind our queries"
            )


def _interval_s(inquiry: Inquiry, metric: Metric) -> float | None:
    """Seconds between two samples of series that were there for the last hour; None without samples."""
    # A second less than the hour: Prometheus 2 counts the samples on both ends of a range.
    counted = f"count_over_time({inquiry.narrowed(metric)}[3599s])"
    found = inquiry.vector(f"quantile(0.9, {counted})")
    return 3600 / found[0][1] if found and found[0][1] > 0 else None


def _kept(limits: Mapping[str, str]) -> tuple[int, str] | None:
    """How long samples are kept, in milliseconds and in the server's words; None where it does not tell."""
    if "retentionPeriod" in limits:
        text = limits["retentionPeriod"]
        number = _number(text)
        kept_ms = int(number * _MONTH_MS) if number is not None else _duration_ms(text)
        return (kept_ms, text if number is None else f"{text} months") if kept_ms else None
    text = limits.get("storage.tsdb.retention.time", "")
    if _duration_ms(text):
        return _duration_ms(text), text
    by_size = limits.get("storage.tsdb.retention.size", "0B") != "0B"
    return (15 * DAY_MS, "15d") if text and not by_size else None  # Prometheus' default


def _duration_ms(text: str) -> int:
    """A duration such as 1d12h; 0 for what is none."""
    parts = re.findall(r"([\d.]+)(ms|[smhdwy])", text)
    return int(sum(float(number) * _UNITS_MS[unit] for number, unit in parts))


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _short(number: float) -> str:
    return f"{number / 1e6:,.1f} M" if number >= 1e6 else f"{number:,.0f}"


def _long(duration_ms: float) -> str:
    return (
        f"{duration_ms / HOUR_MS:,.0f} h"
        if duration_ms >= 2 * HOUR_MS
        else f"{duration_ms / MINUTE_MS:,.0f} min"
    )
