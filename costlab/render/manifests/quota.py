"""ResourceQuotas, and the LimitRanges without which they would keep pods out: for people to review."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import Any

from costlab.domain.quantity import Form, canonical, rounded_up
from costlab.domain.units import MIB
from costlab.render import quota_words
from costlab.render.manifests.yaml_text import document
from costlab.render.names import named

Row = Mapping[str, Any]

OWN_NAME = "costlab"  # of a quota that is made anew
_FORCED = {
    "requests.cpu": "cpu",
    "requests.memory": "memory",
}  # keys that keep out pods without such a request
_UNWRITTEN = "not written: {keys}; no quota of the namespace has them, --all-keys adds them"


@dataclass(frozen=True, slots=True)
class Manner:
    """after: as it will do once the advised requests are made. all_keys: keys too that no quota of the namespace has."""

    after: bool = False
    all_keys: bool = False


def resource_quotas(rows: Iterable[Row], defaults: Iterable[Row], manner: Manner) -> str:
    """One stream of documents, namespace by namespace; empty without any.

    rows: of `quota_advice`, all of a namespace, of one cluster. defaults: of the query quota_defaults.
    A quota is written with all of its keys: what applies it may take others away.
    """
    lacking = {(row["namespace"], row["resource"]): row for row in defaults}
    texts: list[str] = []
    ordered = sorted(rows, key=lambda row: (row["namespace"], row["resource"]))
    for namespace, some in groupby(ordered, lambda row: str(row["namespace"])):
        texts += _namespace(namespace, list(some), lacking, manner)
    return "---\n".join(texts)


def _namespace(
    namespace: str, rows: Sequence[Row], lacking: Mapping[tuple[str, str], Row], manner: Manner
) -> list[str]:
    quotas = sorted({quota for row in rows for quota in row["quotas"]})
    missing = [row for row in rows if not row["quotas"]]
    new = missing if manner.all_keys or not quotas else []
    texts = [
        _quota(namespace, quota, [row for row in rows if quota in row["quotas"]], manner) for quota in quotas
    ]
    if new:
        texts.append(_quota(namespace, OWN_NAME, new, manner))
        forced = [
            lacking[namespace, row["resource"]] for row in new if (namespace, row["resource"]) in lacking
        ]
        texts += [_limit_range(namespace, forced)] if forced else []
    elif missing:
        keys = ", ".join(row["resource"] for row in missing)
        texts[-1] = document(None, [_UNWRITTEN.format(keys=keys)]) + texts[-1]
    return texts


def _quota(namespace: str, quota: str, rows: Sequence[Row], manner: Manner) -> str:
    said = [
        f"ResourceQuota {named(quota)} of namespace {named(namespace)} in cluster {named(rows[0]['cluster'])}"
    ]
    for row in rows:
        said += quota_words.comments(row, after=manner.after)
    shared = [row["resource"] for row in rows if len(row["quotas"]) > 1]
    if shared:
        why = "several quotas have it, and what each is for (its scopes) is not told: size them by hand"
        return document(None, [*said, f"no manifest: {', '.join(shared)}: {why}"])
    hard = {}
    for row in rows:
        key = row["spelled"][0] if row["spelled"] else row["resource"]
        hard[key] = quota_words.quantity(quota_words.suggestion(row, after=manner.after), row["resource"])
    return document(_object("ResourceQuota", namespace, quota, {"hard": hard}), said)


def _limit_range(namespace: str, forced: Sequence[Row]) -> str:
    """Requests for containers that state none, which the quota would else keep out: what the largest of them used."""
    said = [
        f"LimitRange for namespace {named(namespace)}: with a quota of requests, containers without one are refused"
    ]
    requests = {}
    for row in forced:
        resource, amount = _FORCED[row["resource"]], row["default_request"]
        most = f"{row['containers_max']} at a time without a request of {resource}"
        if amount is None:
            said.append(f"{most}: what they use was not observed, so they have to be given one by hand")
            continue
        requests[resource] = _request(amount, resource)
        said.append(f"{most}: {requests[resource]} is what the largest of them used")
    if not requests:
        return document(None, said)
    limits = [{"type": "Container", "defaultRequest": requests}]
    return document(_object("LimitRange", namespace, OWN_NAME, {"limits": limits}), said)


def _request(amount: float, resource: str) -> str:
    if resource == "memory":
        return canonical(max(rounded_up(amount, Fraction(MIB)), Fraction(MIB)), Form.BINARY)
    return canonical(max(rounded_up(amount, Fraction(1, 1000)), Fraction(1, 1000)))


def _object(kind: str, namespace: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
