"""A manifest's month by hand: prices of the nodes that fit, usage of the like, and what is not known."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from costlab.config.settings import Settings
from costlab.domain.errors import ConfigError
from costlab.domain.units import GIB
from costlab.jobs.predict import Prediction, predict
from costlab.sources.manifests import planned
from costlab.store.schema import arrow_schema
from costlab.store.warehouse import Warehouse

DAY = date(2026, 11, 22)
START = datetime(2026, 11, 22, tzinfo=UTC)
GPU_NODE = {"gpu_model": "NVIDIA L4", "gpu_allocatable": 4.0, "gpu_price": 0.9}
USED = {"cpu": 0.5, "memory": 6.0, "gpu": 0.25}


def lake(cluster: str = "c", kind: str = "Deployment", **more: list[dict[str, Any]]) -> Warehouse:
    """Three nodes, one with GPUs, and a day of namespace n: a Deployment like, whose pod asks 1 core, 4 GiB and a GPU."""
    same = {"cluster": cluster, "date": DAY}
    node = {"start": START, "end": START + timedelta(1), "labels": [("label_pool", "small")], "cpu_allocatable": 4.0,
            "memory_allocatable": 16.0 * GIB, "gpu_allocatable": 0.0, "cpu_price": 0.1, "memory_price": 0.05}  # fmt: skip
    large = {"cpu_allocatable": 12.0, "cpu_price": 0.2, "labels": [("label_pool", "large")]}
    owner = {
        "team": "t",
        "namespace": "n",
        "workload_kind": kind,
        "workload": "like",
        "class": "inference",
    }
    asked = {"cpu": 1.0, "memory": 4.0, "gpu": 1.0}
    rows: dict[str, list[dict[str, Any]]] = {
        "runs": [same | {"status": "complete", "coverage": 1.0}],
        "nodes": [same | node | {"node": "a"}, same | node | large | {"node": "b"}, same | node | GPU_NODE | {"node": "g"}],
        "pods": [same | owner | {"pod": "p", "pod_uid": "u", "start": START, "end": START + timedelta(hours=12)}],
        "charges": [
            same | owner | {"kind": "workload", "resource": resource, "pod": "p", "pod_uid": "u", "currency": "EUR",
                            "requested_quantity": 12 * request, "used_quantity": 12 * USED[resource], "coverage": 1.0,
                            "billed_quantity": 12 * max(request, USED[resource]), "cost": Decimal(1)}
            for resource, request in asked.items()
        ],
    }  # fmt: skip
    return Warehouse.over_tables(
        {name: pa.Table.from_pylist(of, schema=arrow_schema(name)) for name, of in (rows | more).items()}
    )


def asks(
    name: str = "like", kind: str = "Deployment", namespace: str = "n", requests: str = "cpu: 1, memory: 4Gi, nvidia.com/gpu: 1",
    pods: str = "replicas: 2", extra: str = "",
) -> str:  # fmt: skip
    template = f"{{spec: {{containers: [{{resources: {{requests: {{{requests}}}}}}}]{extra}}}}}"
    return f"kind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {{{pods}, template: {template}}}"


def priced(text: str, hours: float | None = None, **settings: Any) -> Prediction:
    given = Settings.model_validate({"lake": "lake", **settings})
    return predict(lake(), given, planned(text, Path("m.yaml")), DAY, 14, cluster=None, hours=hours)


def column(found: Prediction, name: str) -> list[Any]:
    values: list[Any] = found.rows[name].to_pylist()
    return values


def test_a_namesake_is_priced_by_what_it_used_and_waste_is_told() -> None:
    found = priced(asks())
    assert (found.currency, found.notes) == ("EUR", ())
    assert column(found, "like")[:-1] == ["Deployment/like in n, 1 day"] * 3
    # only the node with GPUs has room for it: 2 pods for 730 h, of max(1, 0.5) cores, max(4, 6) GiB and a GPU
    assert column(found, "monthly_cost") == [Decimal(146), Decimal(438), Decimal(1314), Decimal(1898)]
    assert column(found, "monthly_cost_unused") == [
        Decimal(73),
        Decimal(0),
        Decimal("985.5"),
        Decimal("1058.5"),
    ]


def test_the_basis_of_the_bill_is_that_of_the_settings() -> None:
    by_request = priced(asks(), billing={"basis": "request"})
    assert column(by_request, "monthly_cost")[:3] == [Decimal(146), Decimal(292), Decimal(1314)]
    by_usage = priced(asks(), billing={"basis": "usage"})
    assert column(by_usage, "monthly_cost")[:3] == [Decimal(73), Decimal(438), Decimal(1314)]


def test_the_price_is_the_mean_of_what_fits_and_a_selector_narrows_it() -> None:
    small = "cpu: 1"
    anywhere = priced(asks("other", namespace="m", requests=small, pods="replicas: 1"), hours=100)
    # 4 cores at 0.1, 12 at 0.2, 4 at 0.1
    assert column(anywhere, "price")[0] == pytest.approx(0.16)
    money = ("monthly_cost", "monthly_cost_low", "monthly_cost_high", "monthly_cost_unused")
    assert [column(anywhere, name)[0] for name in money] == [Decimal(16), Decimal(10), Decimal(20), None]
    assert "nothing like it was measured" in anywhere.notes[0]
    chosen = priced(asks("other", namespace="m", requests=small, extra=", nodeSelector: {pool: large}"))
    assert column(chosen, "price")[0] == pytest.approx(0.2)
    hidden = priced(asks("other", namespace="m", requests=small, extra=", nodeSelector: {zone: x}"))
    assert column(hidden, "price")[0] == pytest.approx(0.16)
    assert "asks for zone" in hidden.notes[0]


def test_another_name_takes_the_share_that_its_class_used_in_its_namespace() -> None:
    found = priced(asks("unlike", requests="cpu: 2, memory: 2Gi, nvidia.com/gpu: 2"))
    assert column(found, "like")[0] == "1 inference workload of namespace n, 1 day"
    assert column(found, "usage_per_pod")[:3] == [1.0, 3.0, 0.5]


def test_a_namesake_elsewhere_is_the_like_and_a_daemon_runs_on_every_node_that_it_fits() -> None:
    assert column(priced(asks(namespace="staging")), "like")[0] == "Deployment/like in n, 1 day"
    daemon = priced(asks("agent", kind="DaemonSet", namespace="m", requests="cpu: 5", pods="x: 1"))
    assert column(daemon, "pods")[0] == 1.0


def test_the_parts_of_a_job_share_the_hours_of_its_namesake_and_use_its_share_of_what_they_ask_for() -> None:
    pod = "template: {spec: {containers: [{name: c, resources: {requests: {cpu: %d}}}]}}"
    text = (
        "apiVersion: kubeflow.org/v1\nkind: PyTorchJob\nmetadata: {name: like, namespace: n}\nspec: {pytorchReplicaSpecs: "
        f"{{Master: {{{pod % 1}}}, Worker: {{replicas: 3, {pod % 2}}}}}}}"
    )
    found = predict(
        lake(kind="PyTorchJob"), Settings.model_validate({"lake": "lake"}), planned(text, Path("m.yaml")), DAY, 1,
        cluster=None, hours=None,
    )  # fmt: skip
    cpu = [row for row in found.rows.to_pylist() if row["resource"] == "cpu"]
    assert [(row["part"], row["pods"], row["usage_per_pod"]) for row in cpu] == [
        ("Master", 1, 0.5),
        ("Worker", 3, 1),
    ]
    # half a pod-day on the one day that was looked at: 365 pod-hours a month, for four pods
    assert [row["hours"] for row in cpu] == [365 / 4, 365 / 4]
    assert found.rows["monthly_cost"].to_pylist()[-1] == sum(
        row["monthly_cost"] for row in found.rows.to_pylist()[:-1]
    )


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (asks(requests="cpu: 100"), "no node has room"),
        (asks(requests="cpu: 1", extra=", nodeSelector: {pool: huge}"), "no node has the labels"),
        (
            asks("j", kind="Job", namespace="m", requests="cpu: 1", pods="parallelism: 2"),
            "say it with --hours",
        ),
    ],
)
def test_what_is_not_known_has_no_price_and_says_why(text: str, note: str) -> None:
    found = priced(text)
    assert column(found, "monthly_cost")[-1] is None
    assert any(note in said for said in found.notes)


def test_what_a_quota_or_a_budget_has_no_room_for_is_told() -> None:
    quota = {"cluster": "c", "date": DAY, "namespace": "n", "quota": "q", "used_mean": 1.0, "used_max": 3.0}
    quotas = [quota | {"resource": "requests.cpu", "hard": 6.9}, quota | {"resource": "pods", "hard": 5.0}]
    text = asks("more", requests="cpu: 2", pods="replicas: 2")

    def notes(text: str, monthly: float) -> tuple[str, ...]:
        given = Settings.model_validate({"lake": "lake", "budgets": [{"team": "t", "monthly": monthly}]})
        plan = planned(text, Path("m.yaml"))
        found = predict(lake(quotas=quotas), given, plan, DAY, 14, cluster=None, hours=None)
        return tuple(note for note in found.notes if not note.startswith("m.yaml"))

    # The day cost 3 EUR, a month like it 91.25; 2 pods with 2 cores at 0.16 are 467.20 more.
    assert notes(text, 550) == (
        "namespace n: requests.cpu would be 7.00, above the 6.90 of its ResourceQuota q",
        "team t: a month like the last 1 day would cost €558 with this, above its budget of €550",
    )
    assert notes(text, 560)[1:] == ()
    # What runs already is within the quota's use, and its present cost is replaced.
    assert notes(asks(), 1898) == ()
    assert len(notes(asks(), 1897)) == 1


def test_without_a_workload_a_node_or_a_choice_of_cluster_there_is_an_error() -> None:
    settings = Settings.model_validate({"lake": "lake"})
    empty = Warehouse.over_tables({})
    for warehouse, text, said in ((lake(), "kind: Service", "no workload"), (empty, asks(), "no node")):
        with pytest.raises(ConfigError, match=said):
            predict(warehouse, settings, planned(text, Path("m")), DAY, 14, cluster=None, hours=None)
