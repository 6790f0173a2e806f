"""A day as documents for Elasticsearch: its charges, which add up to its total, and one that says what it is worth.

Names are those of the Elastic Common Schema where it has one, and costlab.* beside them. docs/elasticsearch.md.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from hashlib import sha256
from typing import Any

import orjson

from costlab.domain.time import Day, instant
from costlab.publish.elasticsearch import Document
from costlab.store.warehouse import Warehouse

CHARGES, DAYS = "charges", "days"
ECS_VERSION = "8.11.0"
_MICRO = 1_000_000
_KEYS = ("kind", "resource", "team", "namespace", "workload_kind", "workload", "class", "pipeline", "fee")
_MONEY = ("total_cost", "used_cost", "unused_cost", "unobserved_cost")
_QUANTITIES = ("requested_quantity", "used_quantity", "billed_quantity")
_OF_DAYS = ("idle_cost", "system_cost", "beside_cost", "usual_cost")
# What the Common Schema has a name for.
_COMMON = {
    "namespace": "orchestrator.namespace",
    "workload_kind": "orchestrator.resource.type",
    "workload": "orchestrator.resource.name",
}


@dataclass(frozen=True, slots=True)
class DayDocuments:
    """A day's documents. whole: that of the day itself, indexed when all charges are; run: changes when any of them does."""

    run: str
    charges: tuple[Document, ...]
    charges_index: str
    whole: Document

    @property
    def others(self) -> dict[str, Any]:
        """The query for what an earlier run left of the day, and this one has not."""
        source = self.whole.source
        exact = [{"term": {name: source[name]}} for name in ("orchestrator.cluster.name", "costlab.date")]
        return {"bool": {"filter": exact, "must_not": [{"term": {"costlab.run": self.run}}]}}


def day_documents(warehouse: Warehouse, cluster: str, day: Day, index: str) -> DayDocuments:
    """The documents of a day that the lake holds; the same day gives the same bytes."""
    [total] = warehouse.query("daily_costs", cluster=cluster, day=str(day), days=1).to_pylist()
    [run] = warehouse.query("day_run", cluster=cluster, day=str(day)).to_pylist()
    charges = warehouse.query("charge_documents", cluster=cluster, day=str(day)).to_pylist()
    told = [
        *(_charge(row) for row in charges),
        _filled(total, ("status", "coverage", "currency"), (*_MONEY, *_OF_DAYS))
        | {"costlab.samples": run["samples"], "costlab.version": run["costlab_version"]},
    ]
    mark = sha256(orjson.dumps([cluster, str(day), told])).hexdigest()[:32]
    where = f"{index}-{{}}-{day.date:%Y.%m}"
    common = _common(cluster, day) | {"costlab.run": mark}

    def document(part: str, own: dict[str, Any], keys: Iterable[Any]) -> Document:
        name = sha256(orjson.dumps([cluster, str(day), *keys])).hexdigest()
        return Document(where.format(part), name, common | {"event.dataset": f"costlab.{part}"} | own)

    *each, whole = told
    return DayDocuments(
        mark,
        tuple(
            document(CHARGES, own, [row[key] for key in _KEYS])
            for own, row in zip(each, charges, strict=True)
        ),
        where.format(CHARGES),
        document(DAYS, whole, ()),
    )


def template(index: str) -> dict[str, Any]:
    """The index template: every field that a document may have, exact money, and nothing guessed."""
    keyword, instants = {"type": "keyword"}, {"type": "date"}
    money = {"type": "scaled_float", "scaling_factor": _MICRO}
    number = {"type": "double"}
    fields: dict[str, Any] = {
        "@timestamp": instants,
        "event.start": instants,
        "event.end": instants,
        "costlab.date": {"type": "date", "format": "strict_date"},
        "costlab.coverage": number,
        "costlab.samples": {"type": "long"},
        "costlab.unpriced_charges": {"type": "long"},
    }
    fields |= {_name(key): keyword for key in _KEYS}
    fields |= {f"costlab.{name}": money for name in (*_MONEY, *_OF_DAYS)}
    fields |= {f"costlab.{name}": number for name in _QUANTITIES}
    words = ("unit", "currency", "status", "run", "version")
    fields |= {f"costlab.{name}": keyword for name in words}
    fields |= dict.fromkeys(("ecs.version", "event.kind", "event.module", "event.dataset"), keyword)
    fields |= dict.fromkeys(("orchestrator.type", "orchestrator.cluster.name"), keyword)
    return {
        "index_patterns": [f"{index}-{part}-*" for part in (CHARGES, DAYS)],
        "priority": 200,
        "_meta": {"description": "Costs by day and workload, made by costlab"},
        "template": {"mappings": {"dynamic": False, "properties": fields}},
    }


def _charge(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row's own fields; what does not apply, or is not known, is not there."""
    own = {_name(key): row[key] for key in _KEYS if row[key] not in (None, "")}
    return own | _filled(row, ("unit", "currency", "unpriced_charges", *_QUANTITIES), _MONEY)


def _filled(row: Mapping[str, Any], plain: Iterable[str], money: Iterable[str]) -> dict[str, Any]:
    """Money as the nearest double: up to two billion, a million times it is rounded to the very micro-unit."""
    own: dict[str, Any] = {f"costlab.{name}": row[name] for name in plain if row[name] is not None}
    amounts: dict[str, Decimal | None] = {name: row[name] for name in money}
    return own | {f"costlab.{name}": float(cost) for name, cost in amounts.items() if cost is not None}


def _common(cluster: str, day: Day) -> dict[str, Any]:
    start, end = (
        instant(at_ms).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for at_ms in (day.window.start_ms, day.window.end_ms)
    )
    return {
        "@timestamp": start,
        "ecs.version": ECS_VERSION,
        "event.kind": "metric",
        "event.module": "costlab",
        "event.start": start,
        "event.end": end,
        "orchestrator.type": "kubernetes",
        "orchestrator.cluster.name": cluster,
        "costlab.date": str(day),
    }


def _name(key: str) -> str:
    return _COMMON.get(key, f"costlab.{key}")
