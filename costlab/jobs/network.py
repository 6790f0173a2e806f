"""What pods sent over the network, and its price. docs/methods.md, "Beside nodes"."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from costlab.core.money import to_micros
from costlab.core.observe import Stretches, combine, rates
from costlab.domain.findings import Finding, Severity
from costlab.domain.signals import Signal
from costlab.domain.time import HOUR_MS, MINUTE_MS, Window
from costlab.domain.units import GIB
from costlab.jobs.lives import Life, PodId, pod_id
from costlab.jobs.reading import Reading, in_blocks
from costlab.jobs.residents import Attributed, Part, Residents, cut, taken

NETWORK_RULES = ("network_unread", "network_unobserved", "network_of_nodes")
HOST, OWN = "host", "pod"
_NOTABLE = 0.01  # of the time: a pod's first seconds, before its first sample, are less


@dataclass(frozen=True, slots=True)
class Traffic:
    """What each life sent, and over which part of it that was observed, by the life's number; NaN: not observed.

    homeless_bytes: what pods sent that kube-state-metrics does not place on a node at that time.
    """

    sent_bytes: tuple[float, ...]
    coverage: tuple[float, ...]
    homeless_bytes: float


def traffic_of(signals: Reading, lives: list[Life], window: Window, max_gap_ms: int) -> Traffic:
    """The sum over a pod's interfaces, but for the loopback; of an interface that several cgroups show, the maximum.

    Some pods at a time.
    """
    side = Residents(lives, window).of(signals, Signal.SENT_BYTES)
    number = {id(life): i for i, life in enumerate(lives)}
    sent_bytes, observed_s = np.zeros(len(lives) + 1), np.zeros(len(lives) + 1)
    for parts in _by_pods(side, signals.block_samples):
        total = _rising(signals, side, parts, number, max_gap_ms)
        lasted_s = (total.end_ms - total.start_ms) / 1000
        sent_bytes += np.bincount(total.group, total.values * lasted_s, len(lives) + 1)
        observed_s += np.bincount(total.group, lasted_s, len(lives) + 1)
    lived_s = np.array([(life.end_ms - life.start_ms) / 1000 for life in lives])
    return Traffic(
        tuple(np.where(observed_s[:-1] > 0, sent_bytes[:-1], np.nan).tolist()),
        tuple(np.minimum(1.0, observed_s[:-1] / lived_s).tolist()),
        float(sent_bytes[-1]),
    )


def _by_pods(side: Attributed, most_samples: int) -> Iterator[list[Part]]:
    """The parts of some pods at a time, all of a name together."""
    pods: dict[tuple[str, str], list[Part]] = defaultdict(list)
    weight: dict[tuple[str, str], int] = defaultdict(int)
    for part in side.parts:
        labels = side.labels[part.series]
        pod = labels.get("namespace", ""), labels.get("pod", "")
        pods[pod].append(part)
        weight[pod] += side.sizes[part.series]
    names = list(pods)
    for block in in_blocks(np.array([weight[name] for name in names], np.int64), most_samples):
        yield [part for place in block.tolist() for part in pods[names[place]]]


def _rising(
    signals: Reading, side: Attributed, parts: list[Part], number: Mapping[int, int], max_gap_ms: int
) -> Stretches:
    """Bytes a second by life's number; by the one after the last for those of nobody."""
    began: dict[int, int] = {}
    for part in parts:
        if part.life is not None:
            began.setdefault(part.series, part.life.start_ms)
    places, sent = taken(signals.shelf(Signal.SENT_BYTES), parts)
    since = np.array([began.get(place, -1) for place in places.tolist()], np.int64)
    step_ms = signals.intervals_ms.get(Signal.SENT_BYTES, MINUTE_MS)
    rising = cut(rates(sent.at_ms, sent.values, sent.offsets, since, max_gap_ms, step_ms), places, parts)
    nobody = len(number)
    interfaces: dict[tuple[int, str, str, str], int] = {}
    own = []
    for part in parts:
        labels, mine = side.labels[part.series], nobody if part.life is None else number[id(part.life)]
        namespace, pod, interface = (labels.get(name, "") for name in ("namespace", "pod", "interface"))
        own.append(interfaces.setdefault((mine, namespace, pod, interface), len(interfaces)))
    once = combine(rising, np.array(own, np.int64), len(interfaces), add=False)
    of_life = np.array([mine for mine, *_ in interfaces], np.int64)
    return combine(once, of_life, nobody + 1, add=True)


def networks(signals: Reading) -> dict[PodId, str]:
    """Whose network each pod is on, where that is told: its node's or its own."""
    found = {}
    for labels in signals[Signal.POD_INFO].labels:
        if told := labels.get("host_network"):
            found[pod_id(labels)] = HOST if told == "true" else OWN
    return found


def network_charges(
    pods: list[dict[str, Any]], price: float | None, identity: Sequence[str]
) -> tuple[list[dict[str, Any]], list[Finding]]:
    """A charge for what each pod was seen to send, rounded once; none without a price. And what is to be said.

    pods: rows of `pods`, with start_ms and end_ms; identity: the columns of theirs that a charge takes over.
    """
    if price is None:
        return [], []
    by_pod: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for pod in pods:
        by_pod[pod["namespace"], pod["pod"], pod["pod_uid"]].append(pod)
    charges = []
    for _, rows in sorted(by_pod.items()):
        seen = [row["sent_bytes"] for row in rows if row["sent_coverage"]]
        if not seen:
            continue  # what was not observed is not nothing
        gib = sum(seen) / GIB
        charges.append({
            "kind": "network", "resource": "network", "unit": "gib", **{name: rows[0][name] for name in identity},
            "used_quantity": gib, "billed_quantity": gib, "unit_price": price, "cost": to_micros(gib * price),
            "coverage": 1 - _unseen_h(rows) / sum(map(_lived_h, rows)),
        })  # fmt: skip
    return charges, list(_remarks(pods))


def _remarks(pods: list[dict[str, Any]]) -> Iterator[Finding]:
    on_nodes = [pod for pod in pods if pod["network"] == HOST]
    own = [pod for pod in pods if pod["network"] != HOST]
    if own and all(pod["sent_bytes"] is None for pod in own):
        yield Finding(
            "network_unread", Severity.WARNING, "network",
            "traffic has a price, and had none when the day was read: nothing is charged for it; extract the day again",
        )  # fmt: skip
        return
    if on_nodes:
        yield Finding(
            "network_of_nodes", Severity.INFO, "network",
            f"{len(on_nodes)} pods are on their nodes' networks, which show what all of the node sends: nothing is "
            "charged for it",
        )  # fmt: skip
    unseen_h, lived_h = _unseen_h(own), sum(map(_lived_h, own))
    if unseen_h > _NOTABLE * lived_h:
        yield Finding(
            "network_unobserved", Severity.WARNING, "network",
            f"for {unseen_h:.3f} of {lived_h:.3f} hours of pods nothing was seen of what they sent: nothing is charged "
            "for it",
        )  # fmt: skip


def _unseen_h(pods: list[dict[str, Any]]) -> float:
    return float(sum(_lived_h(pod) * (1 - (pod["sent_coverage"] or 0.0)) for pod in pods))


def _lived_h(pod: dict[str, Any]) -> float:
    return float(pod["end_ms"] - pod["start_ms"]) / HOUR_MS
