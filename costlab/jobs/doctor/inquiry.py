"""One cluster under examination: what is asked of its Prometheus, and how the lines about it are written."""

from datetime import datetime
from math import isfinite

from costlab.config.servers import Engine
from costlab.config.settings import Cluster, Settings
from costlab.domain.errors import SourceRefused
from costlab.domain.signals import Labels, Signal
from costlab.domain.time import HOUR_MS, Window, milliseconds
from costlab.jobs.doctor.check import Check, Status
from costlab.jobs.doctor.probe import Probe
from costlab.sources.prometheus.catalogue import Catalogue, Metric
from costlab.sources.prometheus.flavour import Product
from costlab.sources.prometheus.probe import Choice
from costlab.sources.prometheus.selector import Matcher, Operator, Selector


class Inquiry:
    """Questions to one server, narrowed by the cluster's matchers, at the moment of the examination.

    choice: of the engine; None when the one that is configured is not spoken.
    """

    def __init__(
        self,
        probe: Probe,
        cluster: Cluster,
        settings: Settings,
        now: datetime,
        product: Product,
        choice: Choice | None,
    ) -> None:
        self.cluster = cluster
        self.settings = settings
        self.now = now
        self.product = product
        self.engine = choice.engine if choice else None
        self.streams = choice is not None and choice.engine is Engine.REMOTE_READ and choice.chunks
        self.catalogue = Catalogue(settings.accelerators)
        self._probe = probe
        self._now_ms = milliseconds(now)
        # The doctor asks the query API, which does not know a server's external labels; remote read takes them.
        external = product.external_labels.items() if self.engine is Engine.REMOTE_READ else ()
        self.matchers = tuple(
            Matcher(label, Operator.EQUAL, value)
            for label, value in sorted(cluster.prometheus.matchers.items() - external)
        )

    @property
    def pods(self) -> Selector:
        """The series that tell of pods, one each."""
        return self.narrowed(self.catalogue.metrics(Signal.POD_INFO)[0])

    def narrowed(self, metric: Metric) -> Selector:
        """The series of a metric that belong to this cluster."""
        return metric.selector(self.matchers)

    def count(self, selector: Selector | str, at_ms: int | None = None) -> int:
        """How many series there are, now or at epoch milliseconds."""
        found = self.vector(f"count({selector})", at_ms)
        return _whole(found[0][1]) if found else 0

    def vector(self, promql: Selector | str, at_ms: int | None = None) -> list[tuple[Labels, float]]:
        """The series of an instant query and their values, now or at epoch milliseconds."""
        return self._probe.vector(str(promql), self._now_ms if at_ms is None else at_ms)

    def counts_by(self, label: str, selector: Selector) -> dict[str, int]:
        """How many series have each value of a label; without those that do not have it."""
        found = self.vector(f"count by ({label}) ({selector})")
        return {labels[label]: _whole(count) for labels, count in found if labels.get(label)}

    def names(self, pattern: str) -> list[str]:
        """Metrics of this cluster with samples in the last hour whose whole name fits; none where nobody says."""
        named = Matcher("__name__", Operator.MATCHES, pattern)
        window = Window(self._now_ms - HOUR_MS, self._now_ms)
        try:
            return sorted(self._probe.metrics(Selector("", (named, *self.matchers)), window))
        except SourceRefused:
            return []

    def ahead_s(self) -> float:
        """How far the server's clock is ahead of ours."""
        return self._probe.ahead_s(self.product)

    def fine(self, what: str, text: str) -> Check:
        """A line without a mend."""
        return Check(Status.OK, f"{self.cluster.id}: {what}", text)

    def odd(self, what: str, text: str, mend: str) -> Check:
        """A line about what is worth a look."""
        return Check(Status.WARN, f"{self.cluster.id}: {what}", text, mend)

    def bad(self, what: str, text: str, mend: str) -> Check:
        """A line about what is in the way of a night."""
        return Check(Status.FAIL, f"{self.cluster.id}: {what}", text, mend)


def _whole(count: float) -> int:
    """A count of series; raises SourceRefused where something else was answered."""
    if not isfinite(count):
        raise SourceRefused(
            f"the server did not answer as Prometheus does: {count} series",
            "prometheus.url is the address in front of /api/v1",
        )
    return int(count)
