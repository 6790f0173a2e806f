"""What manifests ask for: effective requests against a simulated start, every kind of object, and faults with their line."""

from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from costlab.domain.errors import ConfigError
from costlab.domain.identity import WorkloadKey
from costlab.sources.manifests import planned

FILE = Path("m.yaml")
MILLICORES = st.integers(0, 4000)
INITS = st.lists(st.tuples(MILLICORES, st.booleans()), max_size=4)


def cpu(millicores: int) -> dict[str, object]:
    return {"name": "c", "resources": {"requests": {"cpu": f"{millicores}m"}}}


def most_at_once(inits: list[tuple[int, bool]], apps: list[int]) -> int:
    """Start the pod step by step: sidecars stay, other init containers end before the next one starts."""
    staying, most = 0, 0
    for millicores, sidecar in inits:
        most = max(most, staying + millicores)
        staying += millicores if sidecar else 0
    return max(most, staying + sum(apps))


@given(inits=INITS, apps=st.lists(MILLICORES, min_size=1, max_size=3), overhead=MILLICORES)
def test_a_pod_is_set_aside_what_it_needs_at_once(
    inits: list[tuple[int, bool]], apps: list[int], overhead: int
) -> None:
    spec = {
        "initContainers": [cpu(m) | ({"restartPolicy": "Always"} if sidecar else {}) for m, sidecar in inits],
        "containers": [cpu(m) for m in apps],
        "overhead": {"cpu": f"{overhead}m"},
    }
    [pod] = planned(yaml.safe_dump({"kind": "Pod", "metadata": {"name": "p"}, "spec": spec}), FILE).workloads
    assert pod.requests == {"cpu": Fraction(most_at_once(inits, apps) + overhead, 1000)}


TEMPLATE = "{spec: {containers: [{name: m, resources: {limits: {nvidia.com/gpu: 2, cpu: 1e3}}}]}}"


@pytest.mark.parametrize(
    ("text", "key", "pods", "lasting"),
    [
        (f"kind: Deployment\nmetadata: {{name: d, namespace: n}}\nspec: {{replicas: 3, template: {TEMPLATE}}}",
         WorkloadKey("n", "Deployment", "d"), 3, True),
        (f"kind: StatefulSet\nmetadata: {{name: d}}\nspec: {{template: {TEMPLATE}}}",
         WorkloadKey("x", "StatefulSet", "d"), 1, True),
        (f"kind: DaemonSet\nmetadata: {{name: d}}\nspec: {{template: {TEMPLATE}}}",
         WorkloadKey("x", "DaemonSet", "d"), None, True),
        (f"kind: Job\nmetadata: {{generateName: d-}}\nspec: {{parallelism: 4, completions: 3, template: {TEMPLATE}}}",
         WorkloadKey("x", "Job", "d-"), 3, False),
        (f"kind: CronJob\nmetadata: {{name: d}}\nspec: {{jobTemplate: {{spec: {{parallelism: 2, template: {TEMPLATE}}}}}}}",
         WorkloadKey("x", "CronJob", "d"), 2, False),
        (f"kind: Pod\nmetadata: {{name: d}}\n{TEMPLATE[1:-1]}", WorkloadKey("x", "Pod", "d"), 1, True),
    ],
    ids=["deployment", "stateful_set", "daemon_set", "job", "cron_job", "pod"],
)  # fmt: skip
def test_every_kind_has_its_pods(text: str, key: WorkloadKey, pods: int | None, lasting: bool) -> None:
    [found] = planned(text, FILE, "x").workloads
    assert (found.workload, found.pods, found.lasting) == (key, pods, lasting)
    assert found.requests == {"nvidia.com/gpu": 2, "cpu": 1000}


GROUP = f"template: {TEMPLATE}"
RAY = (
    f"headGroupSpec: {{{GROUP}}}, workerGroupSpecs: [{{groupName: a, replicas: 2, numOfHosts: 4, {GROUP}}}, "
    f"{{groupName: b, {GROUP}}}]"
)


@pytest.mark.parametrize(
    ("api_version", "kind", "spec", "parts", "lasting"),
    [
        ("kubeflow.org/v1", "PyTorchJob",
         f"pytorchReplicaSpecs: {{Master: {{{GROUP}}}, Worker: {{replicas: 7, {GROUP}}}}}",
         {"Master": 1, "Worker": 7}, False),
        ("kubeflow.org/v1", "MPIJob",
         f"mpiReplicaSpecs: {{Launcher: {{replicas: 1, {GROUP}}}, Worker: {{replicas: 2, {GROUP}}}}}",
         {"Launcher": 1, "Worker": 2}, False),
        ("kubeflow.org/v1", "Notebook", GROUP, {"": 1}, True),
        ("ray.io/v1", "RayCluster", RAY, {"head": 1, "a": 8, "b": 0}, True),
        ("ray.io/v1", "RayJob", f"rayClusterSpec: {{{RAY}}}", {"head": 1, "a": 8, "b": 0}, False),
        ("ray.io/v1", "RayService", f"rayClusterConfig: {{{RAY}}}", {"head": 1, "a": 8, "b": 0}, True),
        ("jobset.x-k8s.io/v1alpha2", "JobSet",
         f"replicatedJobs: [{{name: w, replicas: 2, template: {{spec: {{parallelism: 3, {GROUP}}}}}}}]", {"w": 6}, False),
        ("batch.volcano.sh/v1alpha1", "Job", f"tasks: [{{name: ps, replicas: 2, {GROUP}}}, {{name: worker, {GROUP}}}]",
         {"ps": 2, "worker": 1}, False),
        ("argoproj.io/v1alpha1", "Rollout", f"replicas: 5, {GROUP}", {"": 5}, True),
    ],
    ids=lambda value: value if isinstance(value, str) and value[:1].isupper() else None,
)  # fmt: skip
def test_the_kinds_that_train_have_their_parts(
    api_version: str, kind: str, spec: str, parts: dict[str, int], lasting: bool
) -> None:
    text = f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: t}}\nspec: {{{spec}}}"
    found = planned(text, FILE, "x").workloads
    assert {each.part: each.pods for each in found} == parts
    assert {(each.workload, each.lasting) for each in found} == {(WorkloadKey("x", kind, "t"), lasting)}
    assert all(each.requests == {"nvidia.com/gpu": 2, "cpu": 1000} for each in found)


def test_the_same_kind_of_another_group_is_not_taken_for_a_known_one() -> None:
    plan = planned(f"apiVersion: example.com/v1\nkind: Job\nmetadata: {{name: j}}\nspec: {{{GROUP}}}", FILE)
    assert (plan.workloads, plan.unpriced) == ((), ("m.yaml:1 Job/j",))


@pytest.mark.parametrize(
    ("limits", "filled"),
    [
        ("{defaultRequest: {cpu: 100m}, default: {cpu: 200m}, max: {cpu: 1}, min: {cpu: 50m}}", "0.1"),
        ("{default: {cpu: 200m}, max: {cpu: 1}, min: {cpu: 50m}}", "0.2"),
        ("{max: {cpu: 1}, min: {cpu: 50m}}", "1"),
        ("{min: {cpu: 50m}}", "0.05"),
    ],
)
def test_a_limit_range_fills_in_what_its_namespace_does_not_ask_for(limits: str, filled: str) -> None:
    text = (
        f"kind: Pod\nmetadata: {{name: p, namespace: n}}\nspec: {{containers: [{{name: a}}, {{name: b, resources: {{limits: "
        "{cpu: 3}}}]}\n---\nkind: Pod\nmetadata: {name: q, namespace: other}\nspec: {containers: [{name: a}]}\n---\n"
        f"kind: LimitRange\nmetadata: {{name: l, namespace: n}}\nspec: {{limits: [{{type: Pod, max: {{cpu: 9}}}}, "
        f"{{type: Container, {limits[1:-1]}}}]}}"
    )
    mine, others = planned(text, FILE).workloads
    assert (mine.requests, others.requests) == ({"cpu": 3 + Fraction(filled)}, {})


def test_lists_are_opened_and_what_cannot_be_priced_is_named() -> None:
    pod = f"{{kind: Pod, metadata: {{name: p}}, {TEMPLATE[1:-1]}}}"
    text = f"---\n---\nkind: List\nitems:\n- {pod}\n- {{kind: Service, metadata: {{name: s}}}}\n---\nkind: RayJob\n"
    plan = planned(text, FILE)
    assert [each.where for each in plan.workloads] == ["m.yaml:5"]
    assert plan.unpriced == ("m.yaml:8 RayJob/(no name)",)


def test_requests_of_the_pod_as_a_whole_stand_instead_of_its_containers() -> None:
    spec = {"resources": {"requests": {"cpu": 3}}, "containers": [cpu(500), cpu(500)]}
    [pod] = planned(yaml.safe_dump({"kind": "Pod", "spec": spec}), FILE).workloads
    assert pod.requests == {"cpu": 3}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: Pod\nspec:\n  containers:\n  - resources: {requests: {cpu: 1 Gi}}", r"m\.yaml:4: document 1: .*cpu is '1 Gi'"),
        ("kind: Pod\nspec: {containers: [{resources: {requests: {cpu: -1}}}]}", "below 0"),
        ("kind: Pod\nspec: {containers: [{resources: {requests: {cpu: yes}}}]}", "is True, no quantity"),
        ("a: b\n---\nkind: Pod\n", "m.yaml:1: document 1: it has no kind"),
        ("kind: ConfigMap\n---\nkind: Pod\n", r"m\.yaml:3: document 2: spec has no containers"),
        ("kind: Pod\nspec: []", "spec must be a mapping"),
        ("kind: Pod\nspec: {containers: 3}", "spec.containers must be a list"),
        ("kind: Pod\nspec: {containers: [3]}", "spec.containers.0 must be a mapping"),
        ("kind: Deployment\nspec: {replicas: many, template: " + TEMPLATE + "}", "spec.replicas is 'many'"),
        ("kind: Pod\nkind: Job\n", "document 1: kind is here twice"),
        ("- 1\n", "must be `key: value` lines"),
        ("kind: Pod\n---\nspec: {", r"m\.yaml:3: document 2 is not YAML"),
        ("\0", "control character"),
        ("[" * 5000, "nested too deeply"),
    ],
)  # fmt: skip
def test_a_fault_names_its_document_and_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        planned(text, FILE)
    assert caught.value.hint


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=3),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                        st.sampled_from(["kind", "spec", "metadata", "template", "containers", "resources", "requests"]),
                        inner, max_size=4), max_leaves=12))  # fmt: skip
def test_whatever_a_pod_says_it_is_taken_or_refused(anything: object) -> None:
    with suppress(ConfigError):
        planned(yaml.safe_dump({"kind": "Pod", "spec": anything}), FILE)
