"""Prints docs/exporters.md from costlab/config/accelerators.yaml and the catalogue; `scripts/docs` writes it."""

import textwrap
from collections.abc import Iterator

from costlab.config.accelerator import Accelerator, builtin
from costlab.config.device_resource import builtin_resources
from costlab.domain.signals import SIGNALS, Exporter
from costlab.domain.units import UNITS
from costlab.sources.prometheus.catalogue import built_in

INTRODUCTION = """\
# Exporters

Made from `costlab/config/accelerators.yaml` and `costlab/sources/prometheus/catalogue.py` by `scripts/docs`; a test
keeps them equal.

costlab turns exporters' metrics into signals: one name, one unit, the same labels, whoever exposes them. `costlab doctor`
says which exporter gives each signal of your cluster. What is scraped without `honor_labels` is understood as well: the
label of the metric itself is then called `exported_pod`, and a plain `pod` is the scrape target's.

## Pods, nodes and containers

kube-state-metrics v2, the kubelet, and cAdvisor through it; and Kepler for energy, of either generation: of the metrics
of one signal the first that has samples carries it. Of all their series those count that fulfil the condition.
"""

ACCELERATORS = """
## GPUs and other accelerators

Within one exporter the first metric that has samples carries the signal. Several exporters in one cluster are united:
some nodes may hold NVIDIA's devices, and others AMD's. An exporter that stands in counts only where no other one shows
any device, under any signal: it would show the same devices under other names.

A device is told apart by `gpu_uuid` (and `mig_instance`); without it by `node` and `gpu_index`; without a node by the
scrape target. A busy device without a pod is nobody's: a finding, and its money is in idle. Where a pod is named and no
container, the device is that of the pod's only container that requests one.

Observed is what any of these show; billed are the resources below.
"""

RESOURCES = """
## Resources by which they are asked for

Charged as physical devices; `costlab/config/device_resources.yaml` is the table. A piece that is shared costs its part:
by `nvidia.com/gpu.replicas` and `nvidia.com/gpu.count`, by Google's `gke-max-shared-clients-per-gpu`, else a guess by the
devices seen. Plain GPUs are MIG instances where the product's label says so (`…-MIG-1g.5gb`), or Google's
`gke-gpu-partition-size`; AMD's are partitions by `amd.com/compute-memory-partition`. kube-state-metrics has to show those
labels of nodes.

| resource | pieces that make a device | other models |
|---|---|---|
"""

RESOURCES_OWN = """
Where AWS' plugin offers devices and cores, a core is devices / cores. What is asked for in parts of a device ({fractions})
is not charged by them: a finding. So is any other resource that nodes offer and of which neither this table nor
`device_resources` says anything (`resource_unheard_of`): how much there is, for it costs nothing by itself. Left alone are
{beside}.

`device_resources` in `costlab.yaml` adds others, and takes some out:

```yaml
device_resources:
  huawei.com/Ascend910: 1    # a piece is a device
  example.com/gpu-slice: 4   # four pieces are one
  gpu.intel.com/i915: 0      # not charged
```
"""

# What the entries themselves cannot say.
NOTES = {
    "dcgm": "NVIDIA's DCGM exporter, and its predecessor. Held to real lines in `tests/unit/test_catalogue.py`, as are "
    "AMD's, AWS' and Google's.",
    "amd": "AMD's device-metrics-exporter. What it calls MB is MiB: a card of 192 GiB tells 196592. Of a partitioned card "
    "only partition 0 tells of the whole; what the others tell is 0 or missing, and counts as not observed. With a "
    "MetricsFieldPrefix set `prefix`.",
    "gaudi": "Intel Gaudi. Power is in milliwatts. The labels are those of the exporter's source; no line of a real card "
    "was at hand. It names the pod, and no container.",
    "neuron": "AWS' neuron-monitor. A device is a NeuronCore. It names neither pod nor node, so that use is observed by "
    "device only. Memory is told by process and not by core, and is not read.",
    "tpu": "Google's device plugin for TPUs on GKE (port 2112). It tells of chips that a container holds. Cloud Monitoring "
    "has further metrics, which are not in Prometheus. Not tried against a real cluster.",
    "plain": "A plain exporter, as guides write one around nvidia-smi: no pod, no UUID, and no unit in its names. Percent "
    "and MiB are assumed; say so where yours are others. It stands in: it counts only where no other exporter shows a "
    "device.",
}

OWN = """
## Others, and changes

An entry under `accelerators:` in `costlab.yaml` adds an exporter. An entry with the name of a built-in one changes it:
signal by signal, label by label and key by key; what it does not say stays as it is.

```yaml
accelerators:
  - name: plain                      # known: only the unit is another
    metrics:
      gpu_memory_used: {unit: bytes}
  - name: amd                        # known: with MetricsFieldPrefix: amd_
    prefix: amd_
  - name: tpu                        # known: an empty list takes a signal out
    metrics:
      gpu_memory_used: []
  - name: npu                        # an exporter of your own
    metrics:
      gpu_utilization: {metric: [npu_busy_percent, npu_load_percent], unit: percent}
      gpu_power: npu_power_watts     # short for {metric: npu_power_watts}, in the signal's unit
    labels:
      gpu_uuid: serial
      gpu_index: [slot, index]       # the surest first
      pod: [k8s_pod, pod]
      container: []                  # it has no such label
    matchers: {job: [npu, npu-canary]}
```

- `metrics`: by signal, one metric or several. Without `unit` they are in the signal's own. A percentage that is taken
  for a ratio is refused when the day is read; bytes that are taken for MiB are not noticed.
- `labels`: by canonical label, the exporter's labels that may hold it. What is left out is called as the canonical one;
  a node is also looked for in `node` and `instance`, where it is a name and no address.
- `matchers`: labels that a series must have, with one of these values; an empty value is a label that is not there.
- `own_containers`: containers of the exporter itself. Where one of them is named as a device's user, nobody uses it.
- `prefix`: before the names of all its metrics. `fallback: true`: it stands in.

`costlab config check` finds what is misspelt, `costlab config schema` helps an editor.
"""


def page() -> str:
    """The page as Markdown."""
    exporters = [INTRODUCTION, *_fixed(), ACCELERATORS, *_canonical(), *_accelerators(), OWN, *_units()]
    return "\n".join([*exporters, *_resources()])


def _fixed() -> Iterator[str]:
    yield "| signal | metric | condition | unit |"
    yield "|---|---|---|---|"
    for signal, spec in SIGNALS.items():
        if spec.exporter is not Exporter.GPU:
            for metric in built_in().metrics(signal):
                condition = ", ".join(f"`{matcher}`" for matcher in metric.matchers)
                yield _row(f"`{signal}`", f"`{metric.name}`", condition, spec.unit)


def _canonical() -> Iterator[str]:
    yield "| signal | unit | meaning |"
    yield "|---|---|---|"
    for signal, spec in SIGNALS.items():
        if spec.exporter is Exporter.GPU:
            yield _row(f"`{signal}`", spec.unit, spec.doc)


def _accelerators() -> Iterator[str]:
    for entry in builtin():
        yield f"\n### {entry.name}\n"
        yield f"{textwrap.fill(NOTES[entry.name] + _conditions(entry), 120)}\n"
        yield "| signal | metric, the best first | unit |"
        yield "|---|---|---|"
        for signal in entry.metrics:
            yield _row(
                f"`{signal}`", _names(entry.names(signal)), entry.metrics[signal].unit or SIGNALS[signal].unit
            )
        yield "\n| canonical label | its labels, the surest first |"
        yield "|---|---|"
        for label, names in entry.labels.items():
            yield _row(f"`{label}`", _names(names) or "none")


def _conditions(entry: Accelerator) -> str:
    said = [
        f"`{label}` is {' or '.join(f'`{value}`' if value else 'not there' for value in values)}"
        for label, values in entry.matchers.items()
    ]
    return f" Series count where {' and '.join(said)}." if said else ""


def _units() -> Iterator[str]:
    bases = dict.fromkeys(unit.base for unit in UNITS.values())
    yield "| a signal in | may come in |"
    yield "|---|---|"
    for base in bases:
        if any(spec.unit == base for spec in SIGNALS.values() if spec.exporter is Exporter.GPU):
            yield _row(base, ", ".join(f"`{name}`" for name, unit in UNITS.items() if unit.base == base))
    yield ""


def _resources() -> Iterator[str]:
    known = builtin_resources()
    yield RESOURCES.strip("\n")
    for entry in known.entries:
        pieces = f"{entry.pieces} slices" if entry.slices else str(entry.pieces)
        pieces += f", another name for `{entry.same_as}`" if entry.same_as else ""
        others = ", ".join(f"{model} {n}" for model, n in entry.models.items() if n != entry.pieces)
        yield _row(f"`{entry.name}`", pieces, others)
    yield RESOURCES_OWN.format(fractions=_names(known.fractions), beside=_names(known.beside))


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _row(*cells: str) -> str:
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |".replace("  ", " ")


if __name__ == "__main__":
    print(page(), end="")
