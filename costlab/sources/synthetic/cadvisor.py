"""What cAdvisor shows of the story through each kubelet: a row a container, and the rows that are none.

Beside the containers there are each pod's own cgroup (no container label), pause containers on the Docker node,
the root and the slice of all pods. Interfaces are on each pod's cgroup, and on the root. Samples carry the exporter's own, jittered timestamps.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costlab.domain.identity import stable_key
from costlab.domain.time import Window
from costlab.sources import RawSeries
from costlab.sources.synthetic.cast import Container, Node, Outage, Pod, Run
from costlab.sources.synthetic.meters import Instants, Meters
from costlab.sources.synthetic.scrape import jittered, within
from costlab.sources.synthetic.shapes import steady
from costlab.sources.synthetic.story import Story

CPU = "container_cpu_usage_seconds_total"
MEMORY = "container_memory_working_set_bytes"
START = "container_start_time_seconds"
SENT = "container_network_transmit_bytes_total"
PERIODS = "container_cpu_cfs_periods_total"
THROTTLED = "container_cpu_cfs_throttled_periods_total"
CADVISOR = (CPU, PERIODS, THROTTLED, MEMORY, START, SENT)

# Bytes that are sent for a microsecond of CPU: 10 GB a day and core over the network, less over the loopback.
_BYTES_PER_US = {"eth0": 1 / 8, "lo": 1 / 128}


@dataclass(frozen=True, slots=True)
class Cgroup:
    """A row of cAdvisor: shown from start to gone, using what its runs use together."""

    labels: dict[str, str]
    start_s: int
    gone_s: int
    runs: tuple[Run, ...]


def raw_cadvisor(
    story: Story, meters: Meters, metric: str, window: Window, interval_ms: int
) -> Iterator[RawSeries]:
    """The samples of a cAdvisor metric in the window, node by node."""
    start_s, end_s = window.start_ms // 1000, -(-window.end_ms // 1000)
    for node in story.nodes:
        target = _target(node)
        offset_ms = stable_key(node.name) % interval_ms
        outages = [outage for outage in story.outages if outage.node == node.name]
        for cgroup in _shown(metric)(story, node):
            if cgroup.start_s >= end_s or cgroup.gone_s <= start_s:
                continue
            at_ms = jittered(window, interval_ms, offset_ms, stable_key(cgroup.labels["id"]))
            at_ms = _answered(within(at_ms, cgroup.start_s * 1000, cgroup.gone_s * 1000), outages)
            if len(at_ms):
                labels = {"__name__": metric} | target | cgroup.labels
                if metric == CPU:
                    labels["cpu"] = "total"
                yield RawSeries(labels, at_ms, _values(metric, cgroup, meters, at_ms))


def _shown(metric: str) -> Callable[[Story, Node], Iterator[Cgroup]]:
    if metric == SENT:
        return _interfaces
    return _limited if metric in (PERIODS, THROTTLED) else _cgroups


def _values(metric: str, cgroup: Cgroup, meters: Meters, at_ms: Instants) -> NDArray[np.float64]:
    """Core seconds, periods, bytes held, epoch seconds or bytes sent, float64 (n,)."""
    if metric == START:
        return np.full(len(at_ms), float(cgroup.start_s))
    total = np.zeros(len(at_ms), np.int64)
    for run in cgroup.runs:
        if metric in (CPU, SENT):
            total += meters[run].cpu_us(at_ms)
        elif metric == PERIODS:
            total += meters[run].periods(at_ms)
        elif metric == THROTTLED:
            total += meters[run].throttled_periods(at_ms)
        else:
            shown = (at_ms >= run.start_s * 1000) & (at_ms < run.gone_s * 1000)
            total += np.where(shown, meters[run].memory_bytes(at_ms), 0)
    if metric == SENT:
        sent: NDArray[np.float64] = np.floor(total * _BYTES_PER_US[cgroup.labels["interface"]])
        return sent
    return total / 1e6 if metric == CPU else total.astype(np.float64)


def _answered(at_ms: Instants, outages: Iterable[Outage]) -> Instants:
    """The instants at which the exporter was up."""
    for outage in outages:
        at_ms = at_ms[(at_ms < outage.start_s * 1000) | (at_ms >= outage.end_s * 1000)]
    return at_ms


def _target(node: Node) -> dict[str, str]:
    """The scrape target's labels; with honor_labels, the metric's own win."""
    return {
        "job": "kubelet",
        "metrics_path": "/metrics/cadvisor",
        "instance": f"{node.address}:10250",
        "node": node.name,
        "endpoint": "https-metrics",
        "service": "kubelet",
        "namespace": "kube-system",
    }


def _cgroups(story: Story, node: Node) -> Iterator[Cgroup]:
    yield from _slices(node)
    for pod in story.pods:
        if pod.node is node and pod.runs:
            yield from _pod_cgroups(pod, node)


def _limited(story: Story, node: Node) -> Iterator[Cgroup]:
    """Those with a CPU limit: containers that have one, and pods all of whose containers do."""
    for cgroup in _cgroups(story, node):
        if "pod" in cgroup.labels and all(run.container.cpu_limit is not None for run in cgroup.runs):
            yield cgroup


def _interfaces(story: Story, node: Node) -> Iterator[Cgroup]:
    """The interfaces of the node, and of each pod: its own, or, on its node's network, the node's again."""
    root = next(_slices(node))
    yield Cgroup(root.labels | {"interface": "eth0"}, root.start_s, root.gone_s, root.runs)
    for pod in story.pods:
        if pod.node is not node or not pod.runs:
            continue
        path = _path(pod, docker=node.docker)
        names = {"namespace": pod.namespace, "pod": pod.name}
        if node.docker:  # the pause container's
            names |= {"container": "POD"}
            path = f"{path}/pause"
        gone_s = max(run.gone_s for run in pod.runs)
        for interface in ("eth0", "lo"):
            runs = root.runs if pod.host_network else pod.runs
            yield Cgroup(names | {"id": path, "interface": interface}, pod.running_s, gone_s, runs)


def _slices(node: Node) -> Iterator[Cgroup]:
    """The root and the slice of all pods; what they use is plausible, but not the sum of the pods."""
    for path, cores_share, memory_share in (
        ("/", 0.21, 0.42),
        ("/kubepods" if node.docker else "/kubepods.slice", 0.2, 0.4),
    ):
        template = Container("", steady(node.cores * cores_share), steady(node.memory_gib * memory_share))
        run = Run(template, f"{node.name}{path}", node.start_s, node.end_s, node.end_s)
        yield Cgroup({"id": path}, node.start_s, node.end_s, (run,))


def _pod_cgroups(pod: Pod, node: Node) -> Iterator[Cgroup]:
    """The pod's own cgroup, each run of its containers, and on Docker the pause container."""
    path = _path(pod, docker=node.docker)
    names = {"namespace": pod.namespace, "pod": pod.name}
    gone_s = max(run.gone_s for run in pod.runs)
    yield Cgroup(names | {"id": path}, pod.running_s, gone_s, pod.runs)
    for run in pod.runs:
        yield Cgroup(_container_labels(pod, run, path, docker=node.docker), run.start_s, run.gone_s, (run,))
    if node.docker:
        pause = Run(
            Container("POD", steady(0), steady(0.0007)), f"pause {pod.uid}", pod.running_s, gone_s, gone_s
        )
        yield Cgroup(_container_labels(pod, pause, path, docker=True), pause.start_s, gone_s, (pause,))


def _container_labels(pod: Pod, run: Run, path: str, *, docker: bool) -> dict[str, str]:
    """Labels of a container's row; Docker names it after the pod, containerd after the container id."""
    name = run.container.name
    scope = run.container_id if docker else f"cri-containerd-{run.container_id}.scope"
    return {
        "namespace": pod.namespace,
        "pod": pod.name,
        "container": name,
        "id": f"{path}/{scope}",
        "image": f"registry.example/{pod.namespace}/{name.lower()}:1.4",
        "name": f"k8s_{name}_{pod.name}_{pod.namespace}_{pod.uid}_0" if docker else run.container_id,
    }


def _path(pod: Pod, *, docker: bool) -> str:
    """The pod's cgroup: the systemd driver writes the uid with underscores, cgroupfs as it is."""
    quality = _quality(pod)
    if docker:
        return f"/kubepods{'/' + quality if quality else ''}/pod{pod.uid}"
    uid = pod.uid.replace("-", "_")
    if quality:
        return f"/kubepods.slice/kubepods-{quality}.slice/kubepods-{quality}-pod{uid}.slice"
    return f"/kubepods.slice/kubepods-pod{uid}.slice"


def _quality(pod: Pod) -> str:
    """The pod's quality of service as cgroups spell it: guaranteed pods have no level of their own."""
    if not any(container.requests for container in pod.containers):
        return "besteffort"
    same = all({"cpu", "memory"} <= c.limits.keys() and c.limits == c.requests for c in pod.containers)
    return "" if same else "burstable"
