"""Whether every signal is there for this cluster, from which exporter, and what a night does without."""

from collections.abc import Iterator, Mapping, MutableMapping

from costlab.config.device_resource import charged
from costlab.config.faults import meant
from costlab.config.servers import Engine
from costlab.domain.signals import SIGNALS, Exporter, Signal, SignalSpec
from costlab.jobs.doctor.check import Check
from costlab.jobs.doctor.inquiry import Inquiry
from costlab.jobs.doctor.server import Carried
from costlab.jobs.facts import unpriced_signals
from costlab.sources.prometheus.catalogue import Metric
from costlab.sources.prometheus.selector import Matcher, Operator

# What a night does without, and what is lost with each of them.
_LOST = {
    Signal.CPU_SECONDS: (
        "CPU is charged by request, its use unobserved",
        "let Prometheus scrape the kubelet's cAdvisor",
    ),
    Signal.MEMORY_BYTES: (
        "memory is charged by request, its use unobserved",
        "let Prometheus scrape the kubelet's cAdvisor",
    ),
    Signal.CPU_PERIODS: (
        "nobody knows which CPU limits throttle",
        "keep container_cpu_cfs_.*periods_total, should your scrape configuration drop them",
    ),
    Signal.CPU_THROTTLED_PERIODS: (
        "nobody knows which CPU limits throttle",
        "keep container_cpu_cfs_.*periods_total, should your scrape configuration drop them",
    ),
    Signal.POD_LABELS: (
        "no team, class or pipeline by a pod's labels",
        "start kube-state-metrics with --metric-labels-allowlist=pods=[team,owner]",
    ),
    Signal.NAMESPACE_LABELS: (
        "no team by a namespace's labels",
        "start kube-state-metrics with --metric-labels-allowlist=namespaces=[team,owner]",
    ),
    Signal.NODE_LABELS: (
        "no node rule of the price book can match",
        "start kube-state-metrics with --metric-labels-allowlist=nodes=[*]",
    ),
    Signal.NODE_INFO: (
        "no bill can be matched by a node's provider id",
        "let kube-state-metrics expose nodes",
    ),
    Signal.NODE_CAPACITY: ("no idle and no system cost", "let kube-state-metrics expose nodes"),
    Signal.NODE_ALLOCATABLE: ("no system cost", "let kube-state-metrics expose nodes"),
    Signal.REPLICASET_OWNER: (
        "ReplicaSets instead of Deployments",
        "let kube-state-metrics expose replicasets",
    ),
    Signal.CLAIM_INFO: (
        "volumes are not charged",
        "let kube-state-metrics expose persistentvolumeclaims",
    ),
    Signal.CLAIM_REQUEST: (
        "volumes have no size, and cost null",
        "let kube-state-metrics expose persistentvolumeclaims",
    ),
    Signal.POD_CLAIMS: (
        "volumes are charged to namespaces, not to the pods that mount them",
        "let kube-state-metrics expose pods",
    ),
    Signal.VOLUME_USED: (
        "nobody knows how full volumes are",
        "let Prometheus scrape the kubelet's /metrics",
    ),
    Signal.SENT_BYTES: (
        "traffic is not charged, though prices.network_gib is set",
        "let Prometheus scrape the kubelet's cAdvisor",
    ),
    Signal.GPU_UTILIZATION: (
        "GPUs are charged, but nobody knows how busy they are",
        "run the DCGM exporter, or that of your GPUs",
    ),
}
_NAMED = 3  # so many names are told, of those that there are
_OF_GPUS = "(?i).*(gpu|dcgm|cuda|accelerator).*"
_OF_VOLUMES = (Signal.CLAIM_INFO, Signal.CLAIM_REQUEST, Signal.POD_CLAIMS, Signal.VOLUME_USED)
_OF_CPU_LIMITS = (Signal.CPU_PERIODS, Signal.CPU_THROTTLED_PERIODS)
_BUILD = Metric("kube_state_metrics_build_info")
_CADVISOR = Metric("cadvisor_version_info")


def matchers(inquiry: Inquiry) -> Iterator[Check]:
    """Whether each of the cluster's matchers selects something, and all of them together do."""
    pods = inquiry.catalogue.metrics(Signal.POD_INFO)[0]
    wanted = inquiry.cluster.prometheus.matchers
    total = inquiry.count(pods.selector()) if wanted else 0
    if not total:
        return  # nothing is asked for, or nothing is there: that is told with the signals
    faults = [fault for label, value in sorted(wanted.items())
              if (fault := _matcher(inquiry, pods, total, label, value))]  # fmt: skip
    yield from faults
    if faults:
        return
    chosen = inquiry.count(inquiry.pods)
    text = f"{chosen:,} of {total:,} series of {pods.name}"
    if chosen:
        yield inquiry.fine("matchers", text)
    else:
        yield inquiry.bad("matchers", f"together they select {text}", "take one of prometheus.matchers out")


def signals(inquiry: Inquiry, carried: MutableMapping[Signal, Carried]) -> Iterator[Check]:
    """Every signal with its series; puts the metric that carries most of it into `carried`."""
    unread = unpriced_signals(inquiry.settings)
    for spec in SIGNALS.values():
        if spec.signal in unread:
            yield inquiry.fine(spec.signal, "is not read: what it tells has no price")
            continue
        found = _carriers(inquiry, spec.signal)
        if not found:
            yield _missing(inquiry, spec)
            continue
        carried[spec.signal] = max(found, key=lambda one: one.series)
        told = " and ".join(f"{one.series:,} series of {one.metric.name}" for one in found)
        yield inquiry.fine(spec.signal, f"{told} ({spec.exporter})")


def exporters(inquiry: Inquiry, carried: Mapping[Signal, Carried]) -> Iterator[Check]:
    """Which exporters there are, in which versions, as far as they tell."""
    if Signal.POD_INFO in carried:
        versions = inquiry.counts_by("version", inquiry.narrowed(_BUILD))
        old = [version for version in versions if version.lstrip("v").startswith(("0.", "1."))]
        if old:
            text, mend = f"{old[0]} calls its metrics otherwise", "version 2 or newer is needed"
            yield inquiry.odd("kube-state-metrics", text, mend)
        else:
            yield inquiry.fine("kube-state-metrics", _versions(versions))
    if Signal.CPU_SECONDS in carried:
        versions = inquiry.counts_by("cadvisorVersion", inquiry.narrowed(_CADVISOR))
        yield inquiry.fine("cAdvisor", _versions(versions))
    metrics = {one.metric.name: one.metric for signal, one in carried.items()
               if SIGNALS[signal].exporter is Exporter.GPU}  # fmt: skip
    if metrics:
        jobs = {
            job for metric in metrics.values() for job in inquiry.counts_by("job", inquiry.narrowed(metric))
        }
        text = f"{', '.join(sorted(metrics))} by {', '.join(sorted(jobs)) or 'a job without a name'}"
        yield inquiry.fine("GPU exporter", text)


def _carriers(inquiry: Inquiry, signal: Signal) -> list[Carried]:
    """The metrics that carry a signal here: of each exporter the first that has series."""
    found: list[Carried] = []

    def take(metric: Metric) -> bool:
        if series := inquiry.count(inquiry.narrowed(metric)):
            found.append(Carried(metric, series))
        return bool(series)

    inquiry.catalogue.carry(signal, take, lambda metric: bool(inquiry.count(inquiry.narrowed(metric))))
    return found


def _versions(counts: Mapping[str, int]) -> str:
    told = ", ".join(f"{version} ({count:,})" for version, count in sorted(counts.items()))
    return told or "does not tell its version"


def _missing(inquiry: Inquiry, spec: SignalSpec) -> Check:
    known = [metric.name for metric in inquiry.catalogue.metrics(spec.signal)]
    names = " or ".join(known if len(known) <= _NAMED else (known[0], f"{len(known) - 1} others"))
    text = f"no series of {names}"
    if spec.needed:
        return _needed(inquiry, spec, known, names)
    if spec.exporter is Exporter.GPU and _without_gpus(inquiry):
        return inquiry.fine(spec.signal, f"{text}; no node has a GPU")
    if spec.signal in _OF_VOLUMES and not any(_carriers(inquiry, signal) for signal in _OF_VOLUMES):
        return inquiry.fine(spec.signal, f"{text}; no pod mounts a claim")
    if spec.signal in _OF_CPU_LIMITS and _without_cpu_limits(inquiry):
        return inquiry.fine(spec.signal, f"{text}; no container has a CPU limit")
    if spec.signal in _LOST:
        lost, mend = _LOST[spec.signal]
        if spec.exporter is Exporter.GPU and (others := _unknown_gpu_metrics(inquiry)):
            more = ", …" if len(others) > _NAMED else ""
            text = f"{text}, but of {', '.join(others[:_NAMED])}{more}"
            mend = "if one of these tells it, describe it under accelerators: docs/exporters.md"
        return inquiry.odd(spec.signal, f"{text}: {lost}", mend)
    return inquiry.fine(spec.signal, f"{text}; a cluster need not have any")


def _needed(inquiry: Inquiry, spec: SignalSpec, known: list[str], names: str) -> Check:
    """What is wrong where a signal is missing that no day can do without."""
    unnarrowed = sum(inquiry.count(metric.selector()) for metric in inquiry.catalogue.metrics(spec.signal))
    if inquiry.matchers and unnarrowed:
        text = f"none of the {unnarrowed:,} series of {names} fits prometheus.matchers"
        return inquiry.bad(spec.signal, text, "mend prometheus.matchers")
    text = f"no series of {names}"
    if renamed := inquiry.names(f".*({'|'.join(known)}).*"):
        text = f"{text}, but of {', '.join(renamed[:_NAMED])}"
        return inquiry.bad(spec.signal, text, "let Prometheus keep the exporter's own names of metrics")
    return inquiry.bad(spec.signal, text, f"let Prometheus scrape {spec.exporter}; check prometheus.url")


def _unknown_gpu_metrics(inquiry: Inquiry) -> list[str]:
    """Metrics that look like a GPU exporter's, and are none that costlab knows."""
    known = {metric.name for signal in Signal for metric in inquiry.catalogue.metrics(signal)}
    return [name for name in inquiry.names(_OF_GPUS) if name not in known]


def _without_gpus(inquiry: Inquiry) -> bool:
    """Whether the nodes tell what they have, and none of it is a GPU under any of its resource names."""
    capacity = inquiry.narrowed(inquiry.catalogue.metrics(Signal.NODE_CAPACITY)[0])
    found = inquiry.vector(f"sum by (resource) ({capacity})")
    devices = charged(inquiry.settings.device_resources)
    return bool(found) and not any(n > 0 and labels.get("resource", "") in devices for labels, n in found)


def _without_cpu_limits(inquiry: Inquiry) -> bool:
    of_cpu = Matcher("resource", Operator.EQUAL, "cpu")
    limits = inquiry.catalogue.metrics(Signal.CONTAINER_LIMIT)[0]
    return not inquiry.count(limits.selector((*inquiry.matchers, of_cpu)))


def _matcher(inquiry: Inquiry, pods: Metric, total: int, label: str, value: str) -> Check | None:
    """What is wrong with one matcher, or None."""
    what = f"matchers.{label}"
    external = inquiry.product.external_labels
    if label in external and inquiry.engine is Engine.REMOTE_READ:
        if value == external[label]:
            return None
        text = f"{value!r} selects nothing: this server calls itself {external[label]!r}"
        return inquiry.bad(what, text, f"set prometheus.matchers.{label}, or prometheus.url")
    if inquiry.count(pods.selector((Matcher(label, Operator.EQUAL, value),))):
        return None
    if label in external:
        text = f"an external label of this server ({external[label]!r}), which its query API neither shows nor takes"
        return inquiry.bad(
            what, text, "take it out of prometheus.matchers, or set prometheus.engine: remote-read"
        )
    there = sorted(inquiry.counts_by(label, pods.selector()))
    if not there:
        text = f"none of the {total:,} series of {pods.name} has such a label"
        mend = "take it out of prometheus.matchers; labels that a server adds for others are seen by remote read alone"
        return inquiry.bad(what, text, mend)
    text = f"{value!r} selects none of the {total:,} series of {pods.name}; there is {', '.join(map(repr, there[:5]))}"
    return inquiry.bad(
        what, text + meant(value, there), f"set prometheus.matchers.{label} to one that is there"
    )
