"""The whole examination: what is at home, then every cluster, in the order in which faults would stop a night."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import datetime

from costlab.config.settings import Cluster, Settings
from costlab.domain.errors import CostlabError, SourceRefused
from costlab.domain.signals import Signal
from costlab.jobs.doctor import at_home, labels, server, signals
from costlab.jobs.doctor.check import Check, Status
from costlab.jobs.doctor.inquiry import Inquiry
from costlab.jobs.doctor.probe import Probe
from costlab.jobs.doctor.server import Carried
from costlab.sources.prometheus.probe import Choice


def examine(
    settings: Settings,
    *,
    now: datetime,
    probe_of: Callable[[Cluster], Probe],
    environ: Mapping[str, str],
) -> list[Check]:
    """All checks; a fault never hides the checks after it."""
    checks = [
        *at_home.configuration(settings),
        *at_home.prices(settings, now),
        *at_home.destinations(settings, environ),
        *at_home.indices(settings, environ),
        at_home.lake(settings),
        at_home.report(settings),
        *at_home.metrics(settings),
    ]
    for cluster in settings.clusters:
        checks += _cluster(cluster, settings, now, probe_of)
    return checks


def _cluster(
    cluster: Cluster, settings: Settings, now: datetime, probe_of: Callable[[Cluster], Probe]
) -> Iterator[Check]:
    subject = f"{cluster.id}: Prometheus"
    try:
        with closing(probe_of(cluster)) as probe:
            product = probe.product()
            yield Check(Status.OK, subject, f"{product.name} {product.version}".strip())
            choice: Choice | None = None
            try:
                choice = probe.choice(product)
                yield Check(Status.OK, f"{cluster.id}: engine", f"{choice.engine}: {choice.why}")
            except SourceRefused as fault:
                yield Check(Status.FAIL, f"{cluster.id}: engine", fault.message, fault.hint)
            yield from _asked(Inquiry(probe, cluster, settings, now, product, choice))
    except CostlabError as fault:
        yield Check(Status.FAIL, subject, fault.message, fault.hint)


def _asked(inquiry: Inquiry) -> Iterator[Check]:
    """The checks of one cluster whose Prometheus answers."""
    carried: dict[Signal, Carried] = {}
    yield server.clock(inquiry)
    yield from signals.matchers(inquiry)
    yield from signals.signals(inquiry, carried)
    yield from signals.exporters(inquiry, carried)
    yield from server.limits(inquiry, carried)
    if Signal.POD_INFO in carried:
        yield server.retention(inquiry)
        yield labels.owners(inquiry)
        yield from labels.duplicates(inquiry)
    yield from labels.gpu_prices(inquiry, carried)
