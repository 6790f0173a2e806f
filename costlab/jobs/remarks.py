"""What a person should know of how a day was observed."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from zoneinfo import ZoneInfo

import numpy as np

from costlab.domain.findings import Finding, Severity
from costlab.domain.identity import container_key
from costlab.domain.signals import SIGNALS, Exporter, Signal
from costlab.domain.time import HOUR_MS, MINUTE_MS, Day, Window, instant
from costlab.domain.units import GIB
from costlab.jobs.claims import Claim, init_containers
from costlab.jobs.heard import Hearing
from costlab.jobs.lives import Life, PodId, pod_id
from costlab.jobs.network import Traffic
from costlab.jobs.reading import Reading
from costlab.jobs.sharing import Sharing
from costlab.jobs.usage import Usage
from costlab.jobs.volumes import Volume, claims_lost
from costlab.sources.prometheus.catalogue import built_in

# What a day is poorer without; a cluster without GPUs has no GPU exporter.
_EXPECTED = (Signal.CPU_SECONDS, Signal.MEMORY_BYTES, Signal.NODE_CAPACITY, Signal.NODE_ALLOCATABLE)
# What is lost without them.
_WITHOUT = {
    Signal.CLAIM_INFO: "pods mount volumes, and nothing is charged for those",
    Signal.CLAIM_REQUEST: "sizes of volumes are not known, and they cost null",
    Signal.POD_CLAIMS: "all volumes count as mounted by no pod, and are their namespaces'",
    Signal.VOLUME_USED: "nobody knows how full volumes are",
    Signal.SENT_BYTES: "nothing is charged for traffic",
}
_NOTABLE_BYTES = GIB / 10  # what pods send in their last seconds is less


def findings_of(
    signals: Reading, claims: list[Claim], used: Usage, sharing: Sharing, heard: Hearing, day: Day,
    max_gap_ms: int,
) -> Iterator[Finding]:  # fmt: skip
    """Everything that was missing, doubled, guessed or nobody's."""
    yield from _missing(signals.counts)
    yield from _inventory(signals, heard, day, max_gap_ms)
    if used.homeless > 0:
        yield Finding(
            "usage_without_pod", Severity.WARNING, Exporter.CADVISOR.value,
            f"{used.homeless / 3600:.3f} core-hours were used by containers that {Exporter.KUBE_STATE_METRICS} "
            "does not place on a node at that time",
        )  # fmt: skip
    yield from _init_usage(signals, claims, used)
    for node, counts in sorted(sharing.guessed().items()):
        replicas = ", then ".join(map(str, counts))
        yield Finding(
            "gpu_sharing_guessed", Severity.WARNING, node,
            f"it advertises {replicas} times the GPUs that its exporter shows, so each is taken for shared by {replicas}; "
            "let kube-state-metrics show the node's label nvidia.com/gpu.replicas",
        )  # fmt: skip
    for node, models in sorted(sharing.mixed().items()):
        yield Finding(
            "gpu_models_mixed", Severity.WARNING, node,
            f"it shows {' and '.join(models)} at once; all its GPUs are priced as that of which it shows most series",
        )  # fmt: skip
    for node, resources in sorted(sharing.assumed().items()):
        yield Finding(
            "mig_slices_assumed", Severity.WARNING, node,
            f"no exporter and no label names a model whose MIG slices are known, so those of {', '.join(resources)} are "
            "taken for sevenths of a GPU; let kube-state-metrics show the node's label nvidia.com/gpu.product",
        )  # fmt: skip


def asked_in_parts(signals: Reading, sharing: Sharing) -> Iterator[Finding]:
    """Parts of GPUs that are asked for in a way that charges do not know."""
    asking: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for labels in (
        labels for _, series in signals.blocks(Signal.CONTAINER_REQUEST) for labels in series.labels
    ):
        if sharing.resources.fraction(resource := labels.get("resource", "")):
            asking[resource].add((*pod_id(labels), labels.get("container", "")))
    for resource, containers in sorted(asking.items()):
        yield Finding(
            "gpu_fraction_not_charged", Severity.WARNING, resource,
            f"{len(containers)} containers ask for parts of GPUs by it; they are charged by the GPUs that they request "
            "beside it, not by these parts",
        )  # fmt: skip


def offered_unheard_of(signals: Reading, sharing: Sharing) -> Iterator[Finding]:
    """Resources of nodes of which nothing says whether they are accelerators: how much there is, and that it costs nothing."""
    most: dict[str, dict[str, float]] = defaultdict(dict)  # resource → node → the most that it offered
    for _, series in signals.blocks(Signal.NODE_CAPACITY):
        for n, labels in enumerate(series.labels):
            values = series.values[series.offsets[n] : series.offsets[n + 1]]
            if len(values) and sharing.resources.unheard_of(resource := labels.get("resource", "")):
                nodes, node = most[resource], labels.get("node", "")
                nodes[node] = max(nodes.get(node, 0.0), float(values.max()))
    for resource, nodes in sorted(most.items()):
        if offered := sum(nodes.values()):
            yield Finding(
                "resource_unheard_of", Severity.INFO, resource,
                f"nodes ({len(nodes)}) offer {offered:,g} of it, and nothing of that is charged: say in device_resources how "
                "many make a device, or 0",
            )  # fmt: skip


def findings_beside(
    signals: Reading, lives: list[Life], mounted: Mapping[PodId, set[str]], volumes: list[Volume],
    traffic: Traffic | None, window: Window,
) -> Iterator[Finding]:  # fmt: skip
    """The same of what stands beside nodes: volumes and traffic."""
    claims = {(life.key.namespace, claim) for life in lives for claim in mounted.get(life.pod_id, ())}
    told = Signal.CLAIM_INFO in signals.counts
    for signal, wanted in (
        (Signal.CLAIM_INFO, bool(claims)),
        (Signal.CLAIM_REQUEST, told),
        (Signal.POD_CLAIMS, told),
        (Signal.VOLUME_USED, told),
        (Signal.SENT_BYTES, traffic is not None),
    ):
        if wanted and signal not in signals.counts:
            yield _absent(signal)
    for namespace, claim in claims_lost(signals, window):
        yield Finding(
            "claim_lost", Severity.WARNING, f"{namespace}/{claim}",
            "it has lost its volume (phase Lost): from then on nothing is charged for it",
        )  # fmt: skip
    unknown = sorted(claims - {volume.key for volume in volumes})
    if unknown and told:
        yield Finding(
            "mounted_claim_unknown", Severity.WARNING, "/".join(unknown[0]),
            f"{len(unknown)} claims are mounted by pods and never told of as bound: nothing is charged for them",
        )  # fmt: skip
    if traffic and traffic.homeless_bytes >= _NOTABLE_BYTES:
        yield Finding(
            "traffic_without_pod", Severity.WARNING, Exporter.CADVISOR.value,
            f"{traffic.homeless_bytes / GIB:.3f} GiB were sent by pods that {Exporter.KUBE_STATE_METRICS} does not place "
            "on a node at that time",
        )  # fmt: skip


def _absent(signal: Signal) -> Finding:
    """A signal that things depend on which are there."""
    spec, metrics = SIGNALS[signal], built_in().metrics(signal)
    lost = _WITHOUT[signal]
    return Finding(
        "signal_missing", Severity.INFO if signal is Signal.VOLUME_USED else Severity.ERROR, signal.value,
        f"{spec.exporter} gave no sample of {metrics[0].name}: {lost}",
    )  # fmt: skip


def _missing(counts: Mapping[Signal, int]) -> Iterator[Finding]:
    for signal in _EXPECTED:
        if signal not in counts:
            spec = SIGNALS[signal]
            yield Finding(
                "signal_missing",
                Severity.ERROR,
                signal.value,
                f"{spec.exporter} gave no sample of it: {spec.doc}",
            )


def _inventory(signals: Reading, heard: Hearing, day: Day, max_gap_ms: int) -> Iterator[Finding]:
    told = {labels.get("instance", "") for labels in signals[Signal.POD_INFO].labels}
    if len(told) > 1:
        yield Finding(
            "duplicate_kube_state_metrics", Severity.INFO, ", ".join(sorted(told)),
            f"{len(told)} instances of {Exporter.KUBE_STATE_METRICS} answered; each object counts once",
        )  # fmt: skip
    yield from _silences(heard, day, max_gap_ms)


def _silences(heard: Hearing, day: Day, max_gap_ms: int) -> Iterator[Finding]:
    """Within the day things are taken to have stayed; before the first word and after the last one nothing is known."""
    window, exporter = day.window, Exporter.KUBE_STATE_METRICS
    first_ms, last_ms = int(heard.at_ms[0]), int(heard.at_ms[-1]) + heard.step_ms
    steps = np.diff(np.clip(heard.at_ms, window.start_ms, window.end_ms))
    away_ms = int(steps[steps > max_gap_ms].sum())
    if away_ms:
        yield Finding(
            "inventory_gap", Severity.WARNING, exporter.value,
            f"nothing was heard for {away_ms // MINUTE_MS} minutes: what was there before and after is taken to have "
            "stayed, and pods that lived only then are missing",
        )  # fmt: skip
    if first_ms > window.start_ms + max_gap_ms:
        yield Finding(
            "inventory_begins_late", Severity.WARNING, exporter.value,
            f"it told of no pod before {_clock(first_ms, day)}: nothing is billed for what was there and not told of",
        )  # fmt: skip
    if last_ms < window.end_ms - max_gap_ms:
        yield Finding(
            "inventory_ends_early", Severity.WARNING, exporter.value,
            f"it told of no pod after {_clock(last_ms, day)}: nothing is billed for what was there and not told of",
        )  # fmt: skip


def _clock(at_ms: int, day: Day) -> str:
    return f"{instant(at_ms).astimezone(ZoneInfo(day.timezone)):%H:%M} {day.timezone}"


def _init_usage(signals: Reading, claims: list[Claim], used: Usage) -> Iterator[Finding]:
    """Init containers are billed by what their pod reserves for them; a sidecar among them uses more than that."""
    init = init_containers(signals)
    keys = {
        container_key(life.key, name)
        for life in {claim.life.key: claim.life for claim in claims}.values()
        for name in init.get(life.pod_id, ())
    }
    hours = sum(used.core_ms.get(key, 0.0) for key in sorted(keys)) / HOUR_MS
    if hours >= 1:
        yield Finding(
            "init_container_usage", Severity.WARNING, Exporter.CADVISOR.value,
            f"init containers, native sidecars among them, used {hours:.3f} core-hours; "
            "they are billed by what their pods reserve for them, not by use",
        )  # fmt: skip
