"""What each kubelet tells of the volumes that its pods mount: how full they are."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from costlab.domain.identity import stable_key
from costlab.domain.time import Window
from costlab.domain.units import MIB
from costlab.sources import RawSeries
from costlab.sources.synthetic.cast import Claim, Node, Pod
from costlab.sources.synthetic.meters import Instants
from costlab.sources.synthetic.scrape import regular
from costlab.sources.synthetic.shapes import Floats
from costlab.sources.synthetic.story import Story

USED = "kubelet_volume_stats_used_bytes"
KUBELET = (USED,)


def raw_kubelet(story: Story, metric: str, window: Window, interval_ms: int) -> Iterator[RawSeries]:
    """The samples of a kubelet's metric in the window, node by node: a series a claim, however many pods mount it."""
    claims = {(claim.namespace, claim.name): claim for claim in story.claims}
    for node in story.nodes:
        at_ms = regular(window, interval_ms, stable_key(node.name, "volumes") % interval_ms)
        pods: dict[tuple[str, str], list[Pod]] = defaultdict(list)
        for pod in story.pods:
            for name in pod.claims if pod.node is node else ():
                pods[pod.namespace, name].append(pod)
        for key, mounting in sorted(pods.items()):
            mounted = np.zeros(len(at_ms), bool)
            for pod in mounting:
                mounted |= (at_ms >= pod.running_s * 1000) & (at_ms < pod.end_s * 1000)
            if mounted.any():
                labels = {"namespace": key[0], "persistentvolumeclaim": key[1]}
                seen_ms = at_ms[mounted]
                yield RawSeries(
                    {"__name__": metric} | _target(node) | labels, seen_ms, _used(claims[key], seen_ms)
                )


def _used(claim: Claim, at_ms: Instants) -> Floats:
    """Bytes in use, float64 (n,): a saw tooth, for what fills up is cleared every ten days; never more than there is."""
    period_ms, size_mib = 10 * 86_400_000, claim.gib * 1024
    share = ((at_ms + stable_key(claim.volume)) % period_ms) / period_ms
    return np.floor(size_mib * (0.35 + 0.4 * share)) * MIB


def _target(node: Node) -> dict[str, str]:
    """The scrape target's labels; with honor_labels, the metric's own win."""
    return {
        "job": "kubelet",
        "metrics_path": "/metrics",
        "instance": f"{node.address}:10250",
        "node": node.name,
        "endpoint": "https-metrics",
        "service": "kubelet",
        "namespace": "kube-system",
    }
