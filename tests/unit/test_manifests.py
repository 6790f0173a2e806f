"""Advice as manifests: merged into full objects they are valid by schema, and no name leads out of its place."""

import json
import shlex
from copy import deepcopy
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from costlab.domain.advice import Action, Evidence, Reason
from costlab.domain.errors import ConfigError
from costlab.domain.manifests import ManifestForm
from costlab.domain.units import GIB, MIB, parse_quantity
from costlab.jobs.rightsizing.patches import Choice, Shape, as_one, manifests, worth_a_patch
from costlab.render import advice_words
from costlab.render.manifests.forms import (
    file_name,
    helm_values,
    kubectl,
    kubectl_line,
    kustomize,
    vertical_autoscalers,
)
from costlab.render.manifests.workload import Steps, Workload, workloads

Row = dict[str, Any]

POLICY = "costlab: p95 of 7 days"
TEMPLATES = {"Deployment": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "CronJob": "batch/v1"}


def advice(resource: str = "cpu", **changes: Any) -> Row:
    size: dict[str, float | None] = (
        {"current_request": 2.0, "proposed_request": 1.2, "current_limit": 4.0, "proposed_limit": None}
        if resource == "cpu"
        else {
            "current_request": 4.0 * GIB,
            "proposed_request": 1537.2 * MIB,
            "current_limit": 4.0 * GIB,
            "proposed_limit": 2.0 * GIB,
        }
    )
    return {
        "cluster": "prod", "date": date(2026, 11, 20), "namespace": "shop", "workload_kind": "Deployment",
        "workload": "api", "container": "web", "resource": resource, "action": "request", "team": "shop",
        "class": "service", "replicas": 3.0, **size, "reason": "usage_below_request", "evidence": "measured",
        "policy": POLICY, "evidence_days": 14, "coverage": 0.98, "violation_rate": 0.003, "promised_rate": 0.01,
        "monthly_cost": Decimal("438.000000"), "monthly_saving_gross": Decimal("58.400000"),
        "monthly_saving_net": Decimal("20.000000"), "currency": "USD", "facts": {}, **changes,
    }  # fmt: skip


def one(**changes: Any) -> Workload:
    [workload] = workloads([advice(**changes), advice("memory", **changes)])
    return workload


def whole(kind: str) -> Row:
    """A full object of a kind, with a second container that nobody advises on."""
    limits = {"cpu": "4", "memory": "4Gi"}
    template = {
        "metadata": {"labels": {"app": "api"}},
        "spec": {
            "restartPolicy": "Never" if kind == "CronJob" else "Always",
            "containers": [
                {"name": "proxy", "image": "envoy:1", "resources": {"requests": {"cpu": "100m"}}},
                {"name": "web", "image": "api:1", "resources": {"requests": {"cpu": "2", "memory": "4Gi"}, "limits": limits}},
            ],
        },
    }  # fmt: skip
    spec: Row = {"selector": {"matchLabels": {"app": "api"}}, "template": template}
    if kind == "StatefulSet":
        spec["serviceName"] = "api"
    if kind == "CronJob":
        spec = {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}}
    return {
        "apiVersion": TEMPLATES[kind],
        "kind": kind,
        "metadata": {"name": "api", "namespace": "shop"},
        "spec": spec,
    }


def merged(whole: Any, patch: Any) -> Any:
    """A strategic merge as Kubernetes does it for containers: maps by key, null deletes, lists by `name`."""
    if isinstance(patch, dict):
        result = dict(whole or {})
        for key, value in patch.items():
            if value is None:
                result.pop(key, None)
            else:
                result[key] = merged(result.get(key), value)
        return result
    if isinstance(patch, list):
        changes = {each["name"]: each for each in patch}
        kept = [merged(each, changes.pop(each["name"], {})) for each in whole]
        return [*kept, *changes.values()]
    return patch


@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_patch_merged_into_the_whole_is_valid_and_changes_nothing_else(kind: str) -> None:
    [text] = kubectl([one(workload_kind=kind)], Steps()).values()
    before = whole(kind)
    kubernetes_validate.validate(deepcopy(before), "1.30", strict=True)
    after = merged(before, yaml.safe_load(text))
    kubernetes_validate.validate(deepcopy(after), "1.30", strict=True)
    pod = after["spec"]["jobTemplate"]["spec"] if kind == "CronJob" else after["spec"]
    proxy, web = pod["template"]["spec"]["containers"]
    assert proxy == {"name": "proxy", "image": "envoy:1", "resources": {"requests": {"cpu": "100m"}}}
    assert web["resources"] == {
        "requests": {"cpu": "1200m", "memory": "1538Mi"},
        "limits": {"memory": "2Gi"},  # the CPU's is deleted, as advised
    }


def test_above_a_patch_stands_what_it_is_worth_and_the_line_that_applies_it() -> None:
    [(name, text)] = kubectl([one()], Steps(), "patches").items()
    said = [line.removeprefix("# ") for line in text.splitlines() if line.startswith("#")]
    assert name == "shop.deployment.api.yaml"
    assert "web cpu: request 2 cores to 1.2 cores; limit 4 cores to none" in text.replace(
        "2.00", "2"
    ).replace("1.20", "1.2").replace("4.00", "4")
    assert "saves $58.40 a month, $20.00 net of capacity that stays; it uses less than it asks for" in text
    assert (
        f"exceeded on at most 1% of days, 0.3% of past days exceeded it; evidence: 14 days, 98% observed, by {POLICY}"
        in text
    )
    assert shlex.split(said[-1]) == [
        "kubectl", "patch", "deployment/api", "--namespace=shop", "--type", "strategic",
        "--patch-file", "patches/shop.deployment.api.yaml",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", TEMPLATES)
def test_the_line_to_copy_holds_the_patch_itself(kind: str) -> None:
    workload = one(workload_kind=kind)
    line, refused = kubectl_line(workload, Steps())
    *words, option, patch = shlex.split(line)
    assert words == [
        "kubectl", "patch", f"{kind.lower()}/api", "--namespace=shop", "--type", "strategic",
    ]  # fmt: skip
    assert (option, refused, line.count("\n")) == ("--patch", "", 0)
    [text] = kubectl([workload], Steps()).values()
    assert json.loads(patch) == {"spec": yaml.safe_load(text)["spec"]}


@pytest.mark.parametrize(
    "odd", ["$(reboot)", "a'; reboot; '", "api\nreboot", "-api", "--all", "", "ünder", "a" * 300, "a b"]
)
@pytest.mark.parametrize("where", ["namespace", "workload", "container"])
def test_no_line_to_copy_holds_what_is_no_name_of_kubernetes(where: str, odd: str) -> None:
    found = workloads([advice(**{where: odd})])
    assert [kubectl_line(each, Steps()) for each in found] in ([("", "")], [])


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("Job", "cannot be changed"),
        ("Pod", "create it anew"),
        ("RayCluster", "whole list of containers"),
        ("ReplicaSet", "does not replace"),
    ],
)
def test_what_cannot_be_patched_says_so_and_is_no_document(kind: str, why: str) -> None:
    [text] = kubectl([one(workload_kind=kind)], Steps()).values()
    assert why in text
    line, refused = kubectl_line(one(workload_kind=kind), Steps())
    assert (line, why in refused) == ("", True)
    assert list(yaml.safe_load_all(text)) in ([], [None])
    overlay = kustomize([one(workload_kind=kind)], Steps(), "../base")
    assert list(overlay) == ["kustomization.yaml"]
    assert why in overlay["kustomization.yaml"]


def test_a_limit_below_the_request_is_refused() -> None:
    [found] = workloads([advice("memory", proposed_limit=1.0 * GIB)])
    assert "below the request" in found.refused


def test_an_overlay_names_every_patch_and_its_target() -> None:
    files = kustomize([one(), one(workload="v1.2", workload_kind="StatefulSet")], Steps(), "../base")
    overlay = yaml.safe_load(files["kustomization.yaml"])
    assert overlay["resources"] == ["../base"]
    assert [each["path"] for each in overlay["patches"]] == list(files)[1:]
    assert overlay["patches"][1]["target"] == {
        "group": "apps", "version": "v1", "kind": "StatefulSet", "name": r"v1\.2", "namespace": "shop",
    }  # fmt: skip
    assert yaml.safe_load(files["patches/shop.statefulset.v1.2.yaml"])["metadata"]["name"] == "v1.2"


def test_an_autoscaler_recommends_within_what_is_advised_and_leaves_the_rest_alone() -> None:
    [text] = vertical_autoscalers([one(workload_kind="Rollout")], Steps()).values()
    spec = yaml.safe_load(text)["spec"]
    assert spec["targetRef"] == {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "api"}
    assert spec["updatePolicy"] == {"updateMode": "Off"}
    web, others = spec["resourcePolicy"]["containerPolicies"]
    assert others == {"containerName": "*", "mode": "Off"}
    assert web == {
        "containerName": "web", "controlledResources": ["cpu", "memory"], "controlledValues": "RequestsOnly",
        "minAllowed": {"cpu": "1200m", "memory": "1538Mi"}, "maxAllowed": {"cpu": "2", "memory": "4Gi"},
    }  # fmt: skip
    same = {"proposed_limit": 2.0 * GIB, "proposed_request": 2.0 * GIB}
    [text] = vertical_autoscalers(workloads([advice("memory", **same)]), Steps()).values()
    assert (
        yaml.safe_load(text)["spec"]["resourcePolicy"]["containerPolicies"][0]["controlledValues"]
        == "RequestsAndLimits"
    )


def test_values_lie_where_the_chart_reads_them() -> None:
    found = [one(), one(workload="v1.2")]
    [text] = helm_values(found, Steps(Fraction(1, 2), Fraction(GIB))).values()
    expected = {
        "resources": {"requests": {"cpu": "1500m", "memory": "2Gi"}, "limits": {"cpu": None, "memory": "2Gi"}}
    }
    assert yaml.safe_load(text) == {"api": {"web": expected}, "v1.2": {"web": expected}}
    [text] = helm_values(found[:1], Steps(), "global.{namespace}.{workload}-{container}").values()
    assert list(yaml.safe_load(text)["global"]["shop"]) == ["api-web"]
    with pytest.raises(ConfigError, match="same place"):
        helm_values(found, Steps(), "{namespace}.{container}.resources")
    for path in ("{pod}.resources", "{workload", "a..b", "", "{}"):
        with pytest.raises(ConfigError, match="no path"):
            helm_values(found, Steps(), path)


HOSTILE = st.one_of(
    st.text(min_size=1, max_size=12),
    st.sampled_from(
        [
            "../../etc/passwd",
            "a\n---\nkind: Secret",
            "x: {y}",
            "- a",
            "null",
            "yes",
            "1e3",
            "# no",
            "a'b\"c",
            "\x85",
            "$(reboot)",
            "-n",
            ".",
        ]
    ),
)


@settings(max_examples=150)
@given(namespace=HOSTILE, workload=HOSTILE, container=HOSTILE, policy=HOSTILE)
def test_no_name_leads_out_of_its_place(namespace: str, workload: str, container: str, policy: str) -> None:
    found = one(namespace=namespace, workload=workload, container=container, policy=policy)
    name = file_name(found)
    assert "/" not in name
    assert not name.startswith(".")
    [text] = kubectl([found], Steps()).values()
    [patch] = yaml.safe_load_all(text)
    assert patch["metadata"] == {"name": workload, "namespace": namespace}
    assert [each["name"] for each in patch["spec"]["template"]["spec"]["containers"]] == [container]
    [values] = helm_values([found], Steps()).values()
    assert list(yaml.safe_load(values)[workload]) == [container]
    [autoscaler] = vertical_autoscalers([found], Steps()).values()
    [content] = yaml.safe_load_all(autoscaler)
    assert content["spec"]["targetRef"]["name"] == workload


@given(cores=st.floats(0.001, 500), size=st.floats(1, 2**43))
def test_what_is_written_is_never_less_than_what_is_needed(cores: float, size: float) -> None:
    rows = [advice(proposed_request=cores), advice("memory", proposed_request=size, proposed_limit=None)]
    [found] = workloads(rows)
    requests = found.containers[0].resources(Steps())["requests"]
    assert -1e-9 <= float(parse_quantity(str(requests["cpu"])) - Fraction(cores)) < 1e-3
    assert -1e-3 <= float(parse_quantity(str(requests["memory"])) - Fraction(size)) < MIB


def test_only_what_was_asked_for_is_written() -> None:
    cut, raised = (
        advice(),
        advice(
            "memory", proposed_request=8.0 * GIB, proposed_limit=8.0 * GIB, monthly_saving_gross=Decimal(-60)
        ),
    )
    refused = advice(workload="other", proposed_request=None, monthly_saving_gross=None, reason="hpa_managed")
    overhead = advice(workload="pause", container="")
    rows = [cut, raised, refused, overhead]

    def chosen(**choice: Any) -> list[tuple[str, list[str]]]:
        return [(each.name, list(each.containers[0].rows)) for each in worth_a_patch(rows, Choice(**choice))]

    assert chosen() == [("api", ["cpu", "memory"])]
    assert chosen(cuts=False) == [("api", ["memory"])]
    assert chosen(raises=False) == [("api", ["cpu"])]
    assert chosen(min_saving=Decimal(1)) == []
    assert chosen(min_saving=Decimal(1), raises=False) == [("api", ["cpu"])]


def test_clusters_are_folders_and_a_stream_is_one_document_a_workload() -> None:
    found = [one(), one(cluster="test")]
    files = manifests(found, Shape(folder="out"))
    assert list(files) == ["prod/shop.deployment.api.yaml", "test/shop.deployment.api.yaml"]
    assert "--patch-file out/test/shop.deployment.api.yaml" in files["test/shop.deployment.api.yaml"]
    assert len(list(yaml.safe_load_all(as_one(files)))) == 2
    with pytest.raises(ConfigError, match="several clusters"):
        as_one(manifests(found, Shape(ManifestForm.HELM)))


def test_every_word_of_advice_has_words() -> None:
    assert set(advice_words.ACTIONS) == set(advice_words.BRIEF_ACTIONS) == set(Action)
    assert set(advice_words.EVIDENCE) == set(Evidence)
    assert set(advice_words.REASONS) == set(Reason)
    for words in (advice_words.ACTIONS, advice_words.EVIDENCE, advice_words.REASONS):
        assert len(set(words.values())) == len(words)
    assert advice_words.reason(advice(reason="of_next_year")) == "of_next_year"
