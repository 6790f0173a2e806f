"""Real lines of exporters, and what they become: the right pod, the right node, the right unit."""

import re

import numpy as np
import pytest

from costlab.config.settings import Settings
from costlab.domain.signals import SIGNALS, Exporter, Series, Signal
from costlab.domain.units import UNITS
from costlab.sources import RawSeries
from costlab.sources.prometheus.canonical import canonical_series
from costlab.sources.prometheus.catalogue import Catalogue, Metric, built_in
from costlab.sources.prometheus.selector import Matcher, Operator
from costlab.sources.synthetic import SyntheticCluster

T4 = (
    'DCGM_FI_DEV_FB_USED{gpu="0",UUID="GPU-8f1f4d06-07fd-27a7-52d5-e58aa060d256",pci_bus_id="00000000:00:04.0",'
    'device="nvidia0",modelName="Tesla T4",hostname="hami-workshop",container="gpu-test",namespace="default",'
    'pod="gpu-test"} 3'
)
REQUEST = (
    'kube_pod_container_resource_requests{container="pod1_con1",namespace="ns1",node="",pod="pod1",'
    'resource="nvidia_com_gpu",unit="integer",uid="uid1"} 1'
)
# What Prometheus adds of the target, when it does not honour the exporter's labels.
TARGET = {
    "job": "dcgm",
    "instance": "10.0.0.7:9400",
    "namespace": "gpu-operator",
    "pod": "dcgm-abc",
    "container": "exporter",
}


def read(line: str, **target: str) -> RawSeries:
    """A line of an exporter as Prometheus stores it: at 1 s, without empty labels, under the target's labels."""
    match = re.fullmatch(r"(\w+)\{(.*)\} (\S+)", line)
    assert match
    labels = {"__name__": match[1]} | target | dict(re.findall(r'(\w+)="([^"]*)"', match[2]))
    kept = {name: value for name, value in labels.items() if value}
    return RawSeries(kept, np.array([1000], np.int64), np.array([float(match[3])]))


def canonical(signal: Signal, *raw: RawSeries) -> Series:
    return canonical_series(signal, built_in().metrics(signal), raw, ())


def labels_of(signal: Signal, *raw: RawSeries) -> list[dict[str, str]]:
    return [dict(labels) for labels in canonical(signal, *raw).labels]


def test_every_signal_has_metrics_of_its_own() -> None:
    selectors = [str(metric.selector()) for signal in Signal for metric in built_in().metrics(signal)]
    assert len(set(selectors)) == len(selectors)
    shown = [signal for signal, spec in SIGNALS.items() if spec.exporter is not Exporter.KEPLER]
    assert {built_in().metrics(signal)[0].name for signal in shown} == set(SyntheticCluster(days=1).metrics())


def test_a_gpu_line_of_the_newer_exporter() -> None:
    found = canonical(Signal.GPU_MEMORY_USED, read(T4))
    assert dict(found.labels[0]) == {
        "gpu_uuid": "GPU-8f1f4d06-07fd-27a7-52d5-e58aa060d256",
        "gpu_index": "0",
        "gpu_model": "Tesla T4",
        "node": "hami-workshop",
        "namespace": "default",
        "pod": "gpu-test",
        "container": "gpu-test",
    }
    assert found.values.tolist() == [3 * 2**20]


def test_a_pending_pods_request_has_no_node() -> None:
    assert labels_of(Signal.CONTAINER_REQUEST, read(REQUEST)) == [
        {
            "namespace": "ns1",
            "pod": "pod1",
            "uid": "uid1",
            "container": "pod1_con1",
            "resource": "nvidia_com_gpu",
        }
    ]


HOLDER = {"namespace": "ml", "pod": "train-0", "container": "main"}
GPU = '{gpu="3",UUID="GPU-1",modelName="A100",Hostname="node-3"'
OLD = '{gpu="3",uuid="GPU-1",modelName="A100",Hostname="node-3"'


@pytest.mark.parametrize(
    ("line", "target", "holder"),
    [
        pytest.param(f'DCGM_FI_DEV_GPU_UTIL{GPU},namespace="ml",pod="train-0",container="main"}} 50', {}, HOLDER, id="honoured"),
        pytest.param(f'DCGM_FI_DEV_GPU_UTIL{GPU},namespace="",pod="",container=""}} 50', {}, {}, id="honoured and free"),
        pytest.param(
            f'DCGM_FI_DEV_GPU_UTIL{GPU},exported_namespace="ml",exported_pod="train-0",exported_container="main"}} 50',
            TARGET, HOLDER, id="not honoured",
        ),
        pytest.param(f"DCGM_FI_DEV_GPU_UTIL{GPU}}} 50", TARGET, {}, id="not honoured and free"),
        pytest.param(
            f"DCGM_FI_DEV_GPU_UTIL{GPU}}} 50", TARGET | {"container": "nvidia-dcgm-exporter"}, {}, id="the operator's exporter"
        ),
        pytest.param(
            f'dcgm_gpu_utilization{OLD},pod_namespace="ml",pod_name="train-0",container_name="main"}} 50',
            TARGET, HOLDER, id="the old exporter",
        ),
        pytest.param(
            f'DCGM_FI_DEV_GPU_UTIL{OLD},pod_namespace="ml",pod_name="train-0",container_name="main"}} 50',
            {}, HOLDER, id="old label names",
        ),
    ],
)  # fmt: skip
def test_who_holds_a_gpu(line: str, target: dict[str, str], holder: dict[str, str]) -> None:
    found = canonical(Signal.GPU_UTILIZATION, read(line, **target))
    device = {"gpu_uuid": "GPU-1", "gpu_index": "3", "gpu_model": "A100", "node": "node-3"}
    instance = {"instance": target["instance"]} if target else {}
    assert [dict(labels) for labels in found.labels] == [device | holder | instance]
    assert found.values.tolist() == [0.5]


def test_a_free_gpu_is_not_held_by_an_exporter_of_another_name() -> None:
    """Where one row of the job shows exported_pod, a plain pod is the target's on every row."""
    target = TARGET | {"container": "telemetry"}
    busy = read(
        f'DCGM_FI_DEV_GPU_UTIL{GPU},exported_namespace="ml",exported_pod="train-0",exported_container="main"}} 9',
        **target,
    )
    free = read('DCGM_FI_DEV_GPU_UTIL{gpu="4",UUID="GPU-2"} 0', **target)
    honoured = read('DCGM_FI_DEV_GPU_UTIL{gpu="5",UUID="GPU-3",pod="other"} 1', job="another")
    found = labels_of(Signal.GPU_UTILIZATION, busy, free, honoured)
    assert [labels.get("pod") for labels in found] == ["train-0", None, "other"]
    assert "namespace" not in found[1]
    assert "container" not in found[1]


def test_mig_instances_are_devices_of_their_own() -> None:
    lines = [
        f'DCGM_FI_PROF_GR_ENGINE_ACTIVE{GPU},GPU_I_PROFILE="1g.10gb",GPU_I_ID="{number}"}} 0.{number}'
        for number in (7, 8)
    ]
    found = canonical(Signal.GPU_ENGINE_ACTIVE, *map(read, lines))
    assert [(labels["mig_profile"], labels["mig_instance"]) for labels in found.labels] == [
        ("1g.10gb", "7"),
        ("1g.10gb", "8"),
    ]
    assert found.values.tolist() == [0.7, 0.8]


def test_a_shared_gpus_row_for_each_pod_stays() -> None:
    lines = [f'DCGM_FI_DEV_POWER_USAGE{GPU},pod="p{number}",vgpu="{number}"}} 61.5' for number in (1, 2)]
    assert [labels["pod"] for labels in labels_of(Signal.GPU_POWER, *map(read, lines))] == ["p1", "p2"]


def test_a_blank_is_no_value() -> None:
    assert len(canonical(Signal.GPU_POWER, read(f"DCGM_FI_DEV_POWER_USAGE{GPU}}} 9223372036854775794"))) == 0


CPU = "container_cpu_usage_seconds_total"


@pytest.mark.parametrize(
    ("labels", "counts"),
    [
        ('namespace="a",pod="p",container="c",cpu="total"', True),
        ('namespace="a",pod="p",container="c"', True),
        ('namespace="a",pod="p",container="c",cpu="cpu00"', False),
        ('namespace="a",pod="p",container="POD",cpu="total"', False),
        ('namespace="a",pod="p",cpu="total",id="/kubepods/pod1"', False),
        ('id="/",cpu="total"', False),
    ],
)
def test_only_containers_count(labels: str, counts: bool) -> None:
    series = read(f"{CPU}{{{labels}}} 5")
    assert len(canonical(Signal.CPU_SECONDS, series)) == counts
    assert built_in().metrics(Signal.CPU_SECONDS)[0].counts(series.labels) == counts


@pytest.mark.parametrize(
    ("target", "node"),
    [
        ({"node": "n1", "instance": "10.0.0.1:10250"}, "n1"),
        ({"kubernetes_io_hostname": "n1", "instance": "n9"}, "n1"),
        ({"instance": "n1:10250"}, "n1"),
        ({"instance": "n1"}, "n1"),
        ({"instance": "10.0.0.1:10250"}, None),
        ({"instance": "[fd00::1]:10250"}, None),
        ({"instance": "n1:10250", "exported_instance": "x"}, "n1"),
        ({"exported_node": "n1", "node": "that of the exporter"}, "n1"),
        ({}, None),
    ],
)
def test_the_node_of_a_container(target: dict[str, str], node: str | None) -> None:
    (labels,) = labels_of(
        Signal.CPU_SECONDS, read(f'{CPU}{{namespace="a",pod="p",container="c"}} 5', **target)
    )
    assert labels.get("node") == node
    assert labels.get("instance") == target.get("instance")


def test_kube_state_metrics_without_honoured_labels() -> None:
    target = {
        "job": "ksm",
        "instance": "10.0.0.2:8080",
        "namespace": "monitoring",
        "pod": "ksm-0",
        "node": "n-of-ksm",
    }
    bound = read(
        'kube_pod_info{exported_namespace="a",exported_pod="p",uid="u",exported_node="n1"} 1', **target
    )
    pending = read('kube_pod_info{exported_namespace="a",exported_pod="q",uid="v"} 1', **target)
    instance = {"instance": "10.0.0.2:8080"}
    assert labels_of(Signal.POD_INFO, bound, pending) == [
        {"namespace": "a", "pod": "p", "uid": "u", "node": "n1"} | instance,
        {"namespace": "a", "pod": "q", "uid": "v"} | instance,
    ]


def test_owners() -> None:
    pod = 'namespace="a",pod="p",uid="u"'
    controller = read(f'kube_pod_owner{{{pod},owner_kind="Job",owner_name="j",owner_is_controller="true"}} 1')
    another = read(
        f'kube_pod_owner{{{pod},owner_kind="Cluster",owner_name="k",owner_is_controller="false"}} 1'
    )
    nobody = read(
        'kube_pod_owner{namespace="a",pod="q",owner_kind="<none>",owner_name="<none>",owner_is_controller="<none>"} 1'
    )
    assert labels_of(Signal.POD_OWNER, controller, another, nobody) == [
        {"namespace": "a", "pod": "p", "uid": "u", "owner_kind": "Job", "owner_name": "j"},
        {"namespace": "a", "pod": "q"},
    ]


@pytest.mark.parametrize("signal", [Signal.POD_LABELS, Signal.NODE_LABELS, Signal.NAMESPACE_LABELS])
def test_label_signals_keep_their_labels(signal: Signal) -> None:
    name = built_in().metrics(signal)[0].name
    (labels,) = labels_of(
        signal,
        read(f'{name}{{node="n",namespace="a",pod="p",uid="u",label_team="nlp",label_z="",other="x"}} 1'),
    )
    assert {name: value for name, value in labels.items() if name.startswith("label_")} == {
        "label_team": "nlp"
    }
    assert set(labels) - {"label_team"} == set(SIGNALS[signal].labels)


def test_other_signals_drop_them() -> None:
    (labels,) = labels_of(
        Signal.POD_INFO, read('kube_pod_info{pod="p",label_team="nlp",host_ip="10.0.0.1"} 1')
    )
    assert labels == {"pod": "p"}


def test_every_metric_is_in_a_unit_of_its_signal() -> None:
    for signal in Signal:
        units = [metric.unit for metric in built_in().metrics(signal) if metric.unit]
        assert {unit.base for unit in units} <= {SIGNALS[signal].unit}
    assert {
        m.matchers for s in Signal if SIGNALS[s].exporter is Exporter.CADVISOR for m in built_in().metrics(s)
    } != {()}


def test_selectors_in_promql() -> None:
    assert (
        str(built_in().metrics(Signal.CPU_SECONDS)[0].selector())
        == 'container_cpu_usage_seconds_total{container!="",container!="POD",cpu=~"total|"}'
    )
    hostile = Matcher("cluster", Operator.EQUAL, 'a"}\\\n')
    assert (
        str(built_in().metrics(Signal.POD_INFO)[0].selector((hostile,)))
        == r'kube_pod_info{cluster="a\"}\\\n"}'
    )


# Lines as the exporters write them; Prometheus drops what is empty.
AMD = (
    'gpu_gfx_activity{card_model="102-G30211-0C",card_series="AMD Instinct MI300X OAM",card_vendor="AMD",cluster_name="",'
    'container="",driver_version="6.12.12",gpu_compute_partition_type="spx",gpu_id="2",gpu_memory_partition_type="nps1",'
    'gpu_partition_id="0",gpu_uuid="ccff74a1-0000-1000-80e0-c6d49f5b0d86",hostname="tw038",namespace="",pod="",'
    'serial_number="692409005408",vbios_version="022.040.003.043.000001"} 40'
)
NEURON = (
    'neuroncore_utilization_ratio{availability_zone="us-east-2a",instance_id="i-0823d657f57057590",instance_name="",'
    'instance_type="inf1.xlarge",neuroncore="0",region="us-east-2",runtime_tag="15439",subnet_id="subnet-dd4589b6"} 0.8633'
)
TPU = (
    'duty_cycle{accelerator_id="1234567890123456789-4",container="vllm-worker",make="cloud-tpu",model="tpu7x",'
    'namespace="test-namespace",pod="test-workload-pod",tpu_topology="2x2x2"} 42'
)
# The labels are those of Intel's open exporter; a line of a real card was not at hand.
GAUDI = (
    'habanalabs_power_mW{Serial="AN1",UUID="01P0-HL2080A0-15-TNBS92-06",device="AN1",id="3",pod_namespace="ml",'
    'pod_name="train-0"} 412500'
)
PLAIN = 'gpu_memory_used{gpu_id="1"} 1536'
ON_NODE = {"instance": "node-7:9400"}
TARGET_POD = {"namespace": "monitoring", "pod": "exporter-x", "container": "main"}


@pytest.mark.parametrize(
    ("signal", "line", "target", "labels", "value"),
    [
        pytest.param(
            Signal.GPU_UTILIZATION, AMD, {},
            {"gpu_uuid": "ccff74a1-0000-1000-80e0-c6d49f5b0d86", "gpu_index": "2",
             "gpu_model": "AMD Instinct MI300X OAM", "node": "tw038"},
            0.4, id="AMD, free",
        ),
        pytest.param(
            Signal.GPU_UTILIZATION, AMD, {"namespace": "kube-amd-gpu", "pod": "metrics-exporter-x",
                                          "container": "metrics-exporter-container"},
            {"gpu_uuid": "ccff74a1-0000-1000-80e0-c6d49f5b0d86", "gpu_index": "2",
             "gpu_model": "AMD Instinct MI300X OAM", "node": "tw038"},
            0.4, id="AMD, free, without honor_labels",
        ),
        pytest.param(
            Signal.GPU_MEMORY_USED, 'gpu_used_vram{gpu_id="2",serial_number="692409005408",hostname="tw038",pod="p"} 283', {},
            {"gpu_uuid": "692409005408", "gpu_index": "2", "node": "tw038", "pod": "p"}, 283 * 2.0**20, id="AMD, MiB",
        ),
        pytest.param(Signal.GPU_UTILIZATION, NEURON, {"instance": "10.0.0.7:8000"}, {"gpu_index": "0"}, 0.8633,
                     id="Neuron: a ratio, and an address is no node"),
        pytest.param(Signal.GPU_UTILIZATION, NEURON, {"instance": "10.0.0.7:8000", "node": "ip-10-0-0-7", **TARGET_POD},
                     {"gpu_index": "0", "node": "ip-10-0-0-7"}, 0.8633, id="Neuron: its target's pod is not its user"),
        pytest.param(
            Signal.GPU_UTILIZATION, TPU, {"node": "gke-tpu-1", "instance": "10.0.0.9:2112"},
            {"gpu_uuid": "1234567890123456789-4", "gpu_model": "tpu7x", "node": "gke-tpu-1", "namespace": "test-namespace",
             "pod": "test-workload-pod", "container": "vllm-worker"},
            0.42, id="TPU",
        ),
        pytest.param(
            Signal.GPU_POWER, GAUDI, TARGET_POD | ON_NODE,
            {"gpu_uuid": "01P0-HL2080A0-15-TNBS92-06", "gpu_index": "3", "node": "node-7", "namespace": "ml", "pod": "train-0"},
            412.5, id="Gaudi: milliwatts",
        ),
        pytest.param(Signal.GPU_MEMORY_USED, PLAIN, ON_NODE | TARGET_POD, {"gpu_index": "1", "node": "node-7"},
                     1536 * 2.0**20, id="plain: nobody's, on the target's node"),
    ],
)  # fmt: skip
def test_what_other_exporters_lines_become(
    signal: Signal, line: str, target: dict[str, str], labels: dict[str, str], value: float
) -> None:
    found = canonical(signal, read(line, **target))
    instance = {"instance": target["instance"]} if "instance" in target else {}
    assert [dict(one) for one in found.labels] == [labels | instance]
    assert found.values.tolist() == [value]


@pytest.mark.parametrize(
    "line",
    [
        AMD.replace('gpu_partition_id="0"', 'gpu_partition_id="3"'),  # told by partition 0
        TPU.replace("cloud-tpu", "somebody"),
    ],
)
def test_series_that_do_not_count(line: str) -> None:
    assert len(canonical(Signal.GPU_UTILIZATION, read(line))) == 0


def test_series_of_two_exporters_are_one_signal_in_one_unit() -> None:
    dcgm = read(f'DCGM_FI_DEV_GPU_UTIL{GPU},namespace="ml",pod="train-0",container="main"}} 50')
    found = canonical(Signal.GPU_UTILIZATION, read(NEURON), read(AMD), dcgm)
    assert {labels.get("node"): value for labels, value in zip(found.labels, found.values.tolist(), strict=True)} == {
        None: 0.8633, "tw038": 0.4, "node-3": 0.5,
    }  # fmt: skip


def carried(signal: Signal, *present: str, catalogue: Catalogue | None = None) -> tuple[list[str], list[str]]:
    """The metrics that carry the signal when those `present` have samples; and all that were asked for it."""
    asked: list[str] = []
    taken: list[str] = []

    def has(metric: Metric) -> bool:
        asked.append(metric.name)
        return metric.name in present

    def take(metric: Metric) -> bool:
        if has(metric):
            taken.append(metric.name)
        return metric.name in present

    (catalogue or built_in()).carry(signal, take, has)
    return taken, asked


@pytest.mark.parametrize(
    ("present", "carry"),
    [
        (["DCGM_FI_DEV_GPU_UTIL"], ["DCGM_FI_DEV_GPU_UTIL"]),
        (["dcgm_gpu_utilization"], ["dcgm_gpu_utilization"]),
        (["DCGM_FI_DEV_GPU_UTIL", "dcgm_gpu_utilization"], ["DCGM_FI_DEV_GPU_UTIL"]),
        (["gpu_gfx_activity", "dcgm_gpu_utilization"], ["dcgm_gpu_utilization", "gpu_gfx_activity"]),
        (["gpu_utilization"], ["gpu_utilization"]),
        (["gpu_utilization", "DCGM_FI_DEV_GPU_UTIL"], ["DCGM_FI_DEV_GPU_UTIL"]),
        # Its devices are there under other names: MIG instances have no utilisation, and count once.
        (["gpu_utilization", "DCGM_FI_PROF_GR_ENGINE_ACTIVE"], []),
        ([], []),
    ],
)
def test_exporters_are_united_and_a_stand_in_counts_only_alone(present: list[str], carry: list[str]) -> None:
    taken, asked = carried(Signal.GPU_UTILIZATION, *present)
    assert taken == carry
    assert len(asked) == len(set(asked)), "nothing is read twice to find it out"


def test_where_one_exporter_has_samples_a_stand_in_is_not_even_looked_for() -> None:
    assert "gpu_utilization" not in carried(Signal.GPU_UTILIZATION, "neuroncore_utilization_ratio")[1]


def test_own_exporters_stand_beside_the_built_in_ones_or_change_them() -> None:
    own = Settings.model_validate(
        {
            "accelerators": [
                {"name": "amd", "prefix": "amd_"},
                {"name": "plain", "metrics": {"gpu_memory_used": {"unit": "bytes"}, "gpu_utilization": []}},
                {"name": "npu", "metrics": {"gpu_utilization": {"metric": ["npu_busy", "npu_load"], "unit": "percent"}},
                 "labels": {"gpu_index": "chip", "pod": []}, "matchers": {"job": ["a", "b.c"], "kind": "npu"}},
            ]
        }
    ).accelerators  # fmt: skip
    catalogue = Catalogue(own)
    names = [metric.name for metric in catalogue.metrics(Signal.GPU_UTILIZATION)]
    assert names == [
        "DCGM_FI_DEV_GPU_UTIL", "dcgm_gpu_utilization", "amd_gpu_gfx_activity", "habanalabs_utilization",
        "neuroncore_utilization_ratio", "duty_cycle", "npu_busy", "npu_load",
    ]  # fmt: skip
    (plain,) = (m for m in catalogue.metrics(Signal.GPU_MEMORY_USED) if m.name == "gpu_memory_used")
    assert plain.unit == UNITS["bytes"]
    assert plain.sources("gpu_index") == ("exported_gpu_index", "gpu_id")
    npu = catalogue.metrics(Signal.GPU_UTILIZATION)[-1]
    assert str(npu.selector()) == r'npu_load{job=~"a|b\\.c",kind="npu"}'
    assert (npu.sources("pod"), npu.sources("node")) == ((), ("exported_node", "node", "instance"))
    assert carried(Signal.GPU_MEMORY_USED, "gpu_memory_used", "npu_load", catalogue=catalogue)[0] == []


NEW_KEPLER = (
    'kepler_container_cpu_joules_total{container_id="c1",container_name="app",node_name="n1",pod_id="u1",'
    'runtime="containerd",state="running",zone="%s"} 250'
)
OLD_KEPLER = (
    'kepler_container_%s_joules_total{container_id="c1",container_name="app",container_namespace="ml",mode="idle",'
    'pod_name="train-0"} 90'
)


def test_a_gpus_energy_comes_in_joules_whatever_its_exporter_counts_in() -> None:
    lines = {f"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{GPU}}} 7200000": 7200.0,
             'gpu_energy_consumed{gpu_id="0",serial_number="s"} 7200000000': 7200.0}  # fmt: skip
    for line, joules in lines.items():
        assert canonical(Signal.GPU_ENERGY, read(line)).values.tolist() == [joules]


@pytest.mark.parametrize(
    ("signal", "zone"), [(Signal.PACKAGE_ENERGY, "package"), (Signal.DRAM_ENERGY, "dram")]
)
def test_of_two_generations_of_kepler_one_counts_and_no_zone_within_another(
    signal: Signal, zone: str
) -> None:
    lines = [NEW_KEPLER % name for name in ("package", "core", "uncore", "dram", "psys")]
    target = {"instance": "n1:9102", "namespace": "kepler", "pod": "kepler-x", "container": "kepler"}
    new, old = [read(line, **target) for line in lines], read(OLD_KEPLER % zone, **target)

    def carried(*told: RawSeries) -> list[RawSeries]:
        taken: list[RawSeries] = []

        def take(metric: Metric) -> bool:
            mine = [s for s in told if s.labels["__name__"] == metric.name and metric.counts(s.labels)]
            taken.extend(mine)
            return bool(mine)

        built_in().carry(signal, take, take)
        return taken

    assert [series.labels["zone"] for series in carried(*new, old)] == [zone]
    told = labels_of(signal, *carried(*new))
    assert told == [
        {"uid": "u1", "container": "app", "container_id": "c1", "node": "n1", "instance": "n1:9102"}
    ]
    assert labels_of(signal, *carried(old)) == [
        {"namespace": "ml", "pod": "train-0", "container": "app", "container_id": "c1", "mode": "idle",
         "node": "n1", "instance": "n1:9102"}
    ]  # fmt: skip
