"""Canonical labels out of exporters' labels: which one names the pod, and which only the scrape target."""

import ipaddress
from collections.abc import Iterable, Mapping

from costlab.domain.signals import SIGNALS, Exporter, Labels, Signal
from costlab.sources.prometheus.catalogue import Metric

Key = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]
Plan = tuple[tuple[int, str], ...]

_LABEL_SIGNALS = frozenset({Signal.POD_LABELS, Signal.NAMESPACE_LABELS, Signal.NODE_LABELS})
_HOLDER = ("namespace", "pod", "container")
_OWNERS = frozenset({"owner_kind", "owner_name", "created_by_kind", "created_by_name"})
_NONE = "<none>"  # older kube-state-metrics say so where a pod has no owner


class Naming:
    """Gives each series the key of its canonical labels; `family` is all that was found of the signal.

    The family is needed to tell a free GPU's row from a busy one's. Without honor_labels the pod that holds a
    GPU stands in `exported_pod`; a free GPU's row has none, but a `pod`: the exporter itself. So a plain label
    is the target's in every job that shows a surer one anywhere.
    """

    def __init__(
        self,
        signal: Signal,
        metrics: Mapping[str, Metric],
        family: Iterable[Labels],
        replica_labels: frozenset[str],
    ) -> None:
        self._names = (*SIGNALS[signal].labels, "instance")
        self._metrics = metrics
        self._replica_labels = replica_labels
        self._every_label = signal in _LABEL_SIGNALS
        self._owned = not _OWNERS.isdisjoint(self._names)
        self._holder = (
            tuple(self._names.index(name) for name in _HOLDER)
            if SIGNALS[signal].exporter is Exporter.GPU
            else ()
        )
        self._plans: dict[tuple[str, ...], Plan] = {}
        shadowed = {name: _shadowed(metric) for name, metric in metrics.items()}
        layouts = {(labels["__name__"], labels.get("job", ""), *labels) for labels in family}
        self._of_target = {
            (job, plain)
            for metric, job, *names in layouts
            for name in names
            if (plain := shadowed[metric].get(name) or _exported(name))
        }

    def key(self, labels: Labels) -> Key:
        """What tells the series apart: the canonical labels' values, and for label signals every `label_*`."""
        layout = (labels["__name__"], labels.get("job", ""), *labels)
        plan = self._plans.get(layout)
        if plan is None:
            plan = self._plans[layout] = self._plan(labels)
        values = [""] * len(self._names)
        for position, name in plan:
            values[position] = labels[name]
            if name == "instance" and self._names[position] == "node":
                values[position] = _host(labels[name])
        if self._owned:
            values = ["" if value == _NONE else value for value in values]
        if self._holder and values[self._holder[-1]] in self._metrics[layout[0]].own_containers:
            # The exporter uses no GPU: its own name on a row means that nobody does.
            for position in self._holder:
                values[position] = ""
        return tuple(values), self._kept(labels) if self._every_label else ()

    def labels(self, key: Key) -> Labels:
        """The canonical labels of a key, without the empty ones."""
        values, kept = key
        return {name: value for name, value in zip(self._names, values, strict=True) if value} | dict(kept)

    def _plan(self, labels: Labels) -> Plan:
        """(position of the canonical label, exporter's label) for each that the layout has."""
        metric, job = self._metrics[labels["__name__"]], labels.get("job", "")
        plan = []
        for position, canonical in enumerate(self._names):
            candidates = ("instance",) if canonical == "instance" else metric.sources(canonical)
            sure = (name for name in candidates if name in labels and (job, name) not in self._of_target)
            name = next(sure, None)
            if name is not None and canonical not in self._replica_labels:
                plan.append((position, name))
        return tuple(plan)

    def _kept(self, labels: Labels) -> tuple[tuple[str, str], ...]:
        return tuple(
            sorted(
                (name, value)
                for name, value in labels.items()
                if name.startswith("label_") and name not in self._replica_labels
            )
        )


def _shadowed(metric: Metric) -> dict[str, str]:
    """By exporter's label, the plain one that belongs to the scrape target where this one exists.

    An exporter that calls the pod `pod_name` does not call it `pod`.
    """
    found = {}
    for plain in _HOLDER:
        names = metric.sources(plain)[1:]
        surer = names[: names.index(plain)] if plain in names else names
        found.update(dict.fromkeys(surer, plain))
    return found


def _exported(name: str) -> str:
    """The same of a label that Prometheus renamed because the target has one of its name; empty for others."""
    plain = name.removeprefix("exported_")
    return plain if plain not in (name, "instance") else ""  # the target is what `instance` is asked for


def _host(instance: str) -> str:
    """The node a target is named after, without its port; empty when it is an address, which names no node."""
    host = instance.rsplit(":", 1)[0].strip("[]")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host
    return ""
