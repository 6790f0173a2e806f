"""Quotas as manifests: valid by schema, exactly Kubernetes' keys, the same when they are read back; and in words."""

from datetime import date
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from costlab.domain.units import GIB, MIB, parse_quantity
from costlab.render import quota_words
from costlab.render.manifests.quota import Manner, resource_quotas

Row = dict[str, Any]


def key(resource: str, hard: float | None = None, suggested: float = 4.0, **changes: Any) -> Row:
    return {
        "cluster": "prod", "namespace": "ml", "resource": resource,
        "quotas": [] if hard is None else ["compute"], "spelled": [] if hard is None else [resource],
        "hard_now": hard, "used_now": 3.0, "used_p99": 3.0, "used_peak": 4.0, "expected_peak": None,
        "suggested_hard": suggested, "suggested_after": None, "exhausted_on": None, "exhausted_earliest": None,
        "reason": "no_quota" if hard is None else "over_large", "evidence_days": 30, **changes,
    }  # fmt: skip


def documents(rows: list[Row], defaults: list[Row] | None = None, **manner: bool) -> list[Row]:
    text = resource_quotas(rows, defaults or [], Manner(**manner))
    return [each for each in yaml.safe_load_all(text) if each]


def lacking(resource: str, amount: float | None) -> Row:
    return {"namespace": "ml", "resource": resource, "containers_max": 2, "default_request": amount}


def test_a_namespace_without_a_quota_gets_one_and_what_its_containers_lack() -> None:
    rows = [key("requests.cpu"), key("requests.memory", suggested=6.0 * GIB), key("requests.nvidia.com/gpu"),
            key("requests.nvidia.com/mig-1g.5gb"), key("pods", suggested=2000.0)]  # fmt: skip
    quota, limits = documents(
        rows, [lacking("requests.cpu", 0.2501), lacking("requests.memory", 100.5 * MIB)]
    )
    for each in (quota, limits):
        kubernetes_validate.validate(each, "1.33", strict=True)
    assert quota["metadata"] == {"name": "costlab", "namespace": "ml"}
    assert quota["spec"]["hard"] == {
        "pods": "2k",
        "requests.cpu": "4",
        "requests.memory": "6Gi",
        "requests.nvidia.com/gpu": "4",
        "requests.nvidia.com/mig-1g.5gb": "4",
    }
    assert limits["spec"] == {
        "limits": [{"type": "Container", "defaultRequest": {"cpu": "251m", "memory": "101Mi"}}]
    }


def test_a_quota_keeps_its_name_its_spelling_and_all_of_its_keys() -> None:
    rows = [
        key("requests.cpu", 8.0, 6.0, spelled=["cpu"], suggested_after=5.0),
        key("limits.memory", 2.5 * GIB, 2.5 * GIB, reason="fits"),
        key("requests.nvidia.com/gpu", reason="no_key"),
    ]
    (quota,) = documents(rows)
    assert quota["metadata"]["name"] == "compute"
    assert quota["spec"]["hard"] == {"cpu": "6", "limits.memory": "2560Mi"}
    assert documents(rows, after=True)[0]["spec"]["hard"]["cpu"] == "5"
    assert [each["metadata"]["name"] for each in documents(rows, all_keys=True)] == ["compute", "costlab"]
    text = resource_quotas(rows, [], Manner())
    assert (
        "# not written: requests.nvidia.com/gpu; no quota of the namespace has them, --all-keys adds them"
        in text
    )
    assert "# limits.memory: stays at 2.5Gi: it fits" in text


def test_without_new_keys_no_default_is_made() -> None:
    assert [
        each["kind"] for each in documents([key("requests.cpu", 8.0)], [lacking("requests.cpu", 0.5)])
    ] == ["ResourceQuota"]


def test_what_was_not_observed_is_no_default() -> None:
    text = resource_quotas([key("requests.cpu")], [lacking("requests.cpu", None)], Manner())
    assert "LimitRange" not in [each["kind"] for each in yaml.safe_load_all(text) if each]
    assert "# 2 at a time without a request of cpu: what they use was not observed" in text


def test_quotas_that_share_a_key_are_left_to_people() -> None:
    rows = [
        key("pods", 8.0, quotas=["high", "low"], spelled=["pods", "pods"]),
        key("requests.cpu", 8.0, quotas=["low"]),
    ]
    assert documents(rows) == []
    assert "no manifest: pods: several quotas have it" in resource_quotas(rows, [], Manner())


def test_nothing_is_written_of_nothing() -> None:
    assert resource_quotas([], [], Manner()) == ""


@given(
    st.dictionaries(
        st.sampled_from(
            ["requests.cpu", "limits.cpu", "requests.memory", "requests.storage", "pods", "count/jobs.batch",
             "requests.amd.com/gpu", "fast.storageclass.storage.k8s.io/requests.storage", "requests.ephemeral-storage"]
        ),
        st.integers(1, 10**6), min_size=1,
    ),
    st.text(min_size=1, max_size=12),
)  # fmt: skip
def test_manifests_read_back_as_they_were_whatever_the_names_are(sizes: dict[str, int], name: str) -> None:
    unit = {resource: GIB if resource.endswith(("memory", "storage")) else 1 for resource in sizes}
    rows = [
        key(resource, 1.0, float(size * unit[resource]), quotas=[name], namespace=name)
        for resource, size in sizes.items()
    ]
    (quota,) = documents(rows)
    assert quota["metadata"] == {"name": name, "namespace": name}
    hard = quota["spec"]["hard"]
    assert {resource: parse_quantity(text) for resource, text in hard.items()} == {
        resource: size * unit[resource] for resource, size in sizes.items()
    }


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (key("pods", 4.0, reason="exhausted"), "used up"),
        (key("pods", 4.0), "–"),
        (key("pods", 4.0, exhausted_earliest=date(2026, 12, 1)), "perhaps 2026-12-01"),
        (
            key("pods", 4.0, exhausted_on=date(2026, 12, 9), exhausted_earliest=date(2026, 12, 1)),
            "2026-12-09, perhaps 2026-12-01",
        ),
    ],
)
def test_when_a_quota_runs_out(row: Row, said: str) -> None:
    assert quota_words.runs_out(row) == said


def test_totals_in_words() -> None:
    row = {"resource": "gpu", "allocatable": 28.0, "hard_now": 43.5, "suggested_hard": 30.0, "unlimited": 1,
           "ratio_now": 43.5 / 28, "ratio_suggested": 30 / 28}  # fmt: skip
    assert quota_words.total(row) == (
        "GPUs: quotas allow 43.5 GPUs, 30.0 as suggested, of 28.0 that nodes can give: 155% now, 107% as suggested; "
        "1 namespace without a limit now"
    )
    unknown = quota_words.total({**row, "allocatable": None, "ratio_now": None, "ratio_suggested": None})
    assert "what nodes can give is not known" in unknown
