"""What every peer reads: a part that the naive client can hold in memory, and the whole day."""

from collections.abc import Mapping
from dataclasses import dataclass

from big_day.cast import DAY_MS, Scale
from big_day.samples import CPU, NOISY

from costlab.domain.signals import Signal
from costlab.domain.time import Day, instant
from costlab.sources.prometheus.catalogue import built_in
from costlab.sources.prometheus.selector import Matcher, Operator, Selector

DAY = Day(instant(DAY_MS).date())
WINDOW = Scale().window
_NAMESPACES = Matcher("namespace", Operator.MATCHES, "research-team-03|research-team-11")


@dataclass(frozen=True, slots=True)
class Workload:
    """Selectors by metric, each of which is one request of remote read; `matchers` are those that all of them share."""

    name: str
    selectors: Mapping[str, Selector]
    matchers: tuple[Matcher, ...] = ()


def _full() -> Mapping[str, Selector]:
    """Each noisy metric as costlab selects it; the GPUs' temperature, which it does not read, as it would be."""
    known = {metric.name: metric for signal in Signal for metric in built_in().metrics(signal)}
    return {name: known[name].selector() if name in known else Selector(name) for name in NOISY}


FULL = Workload("full", _full())
PART = Workload("part", {CPU: FULL.selectors[CPU].narrowed(_NAMESPACES)}, (_NAMESPACES,))
WORKLOADS = {workload.name: workload for workload in (FULL, PART)}
