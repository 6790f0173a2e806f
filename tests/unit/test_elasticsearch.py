"""Documents for Elasticsearch: they add up to the micro-unit, a rerun replaces them, and what is no more is deleted."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import elastic_server
import pyarrow as pa
import pytest
import small_lake
from elastic_server import Answer, Elastic
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from costlab.cli.app import app
from costlab.cli.frame import Desk
from costlab.config.servers import Elasticsearch
from costlab.config.settings import Settings
from costlab.domain.errors import ConfigError, ExitCode, PostError
from costlab.jobs import indexing
from costlab.jobs.documents import template
from costlab.jobs.due import Asked
from costlab.jobs.indexing import Indexed, Indexer
from costlab.jobs.nightly import nightly
from costlab.publish.elasticsearch import Document, chunks
from costlab.publish.posting import TRIES, Patience
from costlab.store.lake import Lake
from costlab.store.schema import arrow_schema
from costlab.store.warehouse import Warehouse

DAY = small_lake.DAY
NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)
ENVIRON = {"KEY": "key"}
AT_ONCE = Patience(sleep=lambda _: None, answer_s=20)
CLUSTER = "orchestrator.cluster.name"


@pytest.fixture
def elastic() -> Iterator[Elastic]:
    with elastic_server.serving(Elastic()) as served:
        yield served


def charges(*costs: str) -> pa.Table:
    rows = [
        {
            "cluster": "prod", "date": DAY.date, "kind": "workload", "resource": "cpu", "node": "n", "team": "nlp",
            "namespace": "ns", "workload_kind": "Deployment", "workload": f"w{n}", "pod": f"w{n}-1", "pod_uid": f"u{n}",
            "container": "app", "class": "service", "unit": "core_hour", "requested_quantity": 1.0,
            "used_quantity": float("nan"), "billed_quantity": 1.0, "unit_price": 0.1, "cost": Decimal(cost),
            "cost_used": Decimal(0), "cost_unused": Decimal(0), "cost_unobserved": Decimal(cost), "currency": "EUR",
            "coverage": 0.0,
        }
        for n, cost in enumerate(costs)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=arrow_schema("charges"))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake.create(tmp_path / "lake")
    small_lake.replace_day(made, {"charges": charges("0.1", "0.200001", "0.3")})
    return made


def indexed(elastic: Elastic, lake: Lake, *, again: bool = False) -> list[Indexed]:
    named = Elasticsearch(url=elastic.url, api_key_env="KEY")
    return list(Indexer(named, ENVIRON, again, AT_ONCE).index(lake, indexing.days_in(lake, ["prod"])))


def ran(config: Path, *args: str) -> Result:
    return CliRunner().invoke(
        app, ["--config", str(config), *args], obj=Desk({"HOME": "/nonexistent", **ENVIRON}, NOW)
    )


def test_the_demo_s_documents_add_up_and_a_rerun_changes_nothing(
    elastic: Elastic, demo_cache: Path, tmp_path: Path
) -> None:
    (path,) = demo_cache.glob("costlab/demo-*/lake")
    config = tmp_path / "costlab.yaml"
    config.write_text(f"lake: {path}\nelasticsearch: {{url: '{elastic.url}', api_key_env: KEY}}\n")
    warehouse = Warehouse.over(Lake.open(path))
    owed = warehouse.sql(
        "select date, sum(cost) as cost from charges group by date order by date desc limit 2"
    )
    dates = [row["date"] for row in owed.to_pylist()]
    window = f"--window={dates[1]}..{dates[0].replace(day=dates[0].day + 1)}"
    first = ran(config, "export", "elasticsearch", window, "-o", "json")
    assert first.exit_code == 0, first.output
    rows = json.loads(first.stdout)["rows"]
    assert [row["state"] for row in rows] == ["sent", "sent"]
    held = elastic.documents("charges")
    assert len(held) + 2 == elastic.written == sum(row["documents"] for row in rows)
    for row in owed.to_pylist():
        of_day = [each for each in held if each["costlab.date"] == str(row["date"])]
        assert sum(Decimal(each.get("costlab.total_cost", 0)) for each in of_day) == row["cost"]
        [whole] = [each for each in elastic.documents("days") if each["costlab.date"] == str(row["date"])]
        assert whole["costlab.total_cost"] == row["cost"]
        assert {each["costlab.run"] for each in of_day} == {whole["costlab.run"]}
    before = {index: dict(documents) for index, documents in elastic.held.items()}
    assert [row["state"] for row in json.loads(ran(config, "export", "elasticsearch", window, "-o", "json").stdout)["rows"]] == [
        "unchanged", "unchanged",
    ]  # fmt: skip
    assert elastic.written == len(held) + 2
    assert ran(config, "export", "elasticsearch", window, "--again").exit_code == 0
    assert (elastic.written, elastic.held) == (2 * len(held) + 4, before)


def test_every_field_of_the_mapping_is_in_some_document(elastic: Elastic, demo_cache: Path) -> None:
    (path,) = demo_cache.glob("costlab/demo-*/lake")
    lake = Lake.open(path)
    named = Elasticsearch(url=elastic.url, api_key_env="KEY")
    list(Indexer(named, ENVIRON, patience=AT_ONCE).index(lake, list(indexing.days_in(lake, ["demo"]))[-2:]))
    told = {name for part in ("charges", "days") for each in elastic.documents(part) for name in each}
    missing = set(template("costlab")["template"]["mappings"]["properties"]) - told
    assert missing <= {"costlab.fee", "costlab.pipeline"}, "the demo has no fees"


def test_what_is_no_more_is_deleted_and_what_is_of_others_stays(elastic: Elastic, lake: Lake) -> None:
    other = {CLUSTER: "other", "costlab.date": str(DAY), "costlab.run": "another"}
    indexed(elastic, lake)
    [index] = [name for name in elastic.held if "charges" in name]
    elastic.held[index]["of another cluster"] = other
    elastic.held[index]["of another day"] = other | {CLUSTER: "prod", "costlab.date": "2026-11-21"}
    small_lake.replace_day(lake, {"charges": charges("0.1", "0.25")}, samples=2)
    [done] = indexed(elastic, lake)
    assert (done.sent, done.deleted) == (3, 1)
    costs = {
        each.get("orchestrator.resource.name"): each.get("costlab.total_cost")
        for each in elastic.documents("charges")
    }
    assert costs == {"w0": Decimal("0.1"), "w1": Decimal("0.25"), None: None}
    assert len(elastic.documents("charges")) == 4


@pytest.mark.parametrize("conflicts", [1, 4])
def test_what_another_writer_changed_meanwhile_is_looked_at_again(
    elastic: Elastic, lake: Lake, conflicts: int
) -> None:
    """With conflicts=proceed the server leaves such a document, and its answer is no failure."""
    indexed(elastic, lake)
    small_lake.replace_day(lake, {"charges": charges("0.1", "0.25")}, samples=2)
    left = iter([(200, {"deleted": 0, "version_conflicts": 1, "failures": []})] * conflicts)
    elastic.fault = lambda _, path: next(left, None) if path.endswith("_delete_by_query") else None
    if conflicts == TRIES:
        with pytest.raises(PostError, match="could not delete all that is no more"):
            indexed(elastic, lake)
    [done] = indexed(elastic, lake)
    assert (done.sent, done.deleted) == (3, 1)
    assert len(elastic.documents("charges")) == 2


def test_a_day_that_was_broken_off_is_sent_again(elastic: Elastic, lake: Lake) -> None:
    elastic.fault = lambda _, path: (503, {}) if "delete" in path else None
    with pytest.raises(PostError, match=r"is not available \(503\)"):
        indexed(elastic, lake)
    assert (len(elastic.documents("charges")), elastic.documents("days")) == (3, [])
    elastic.fault = lambda _method, _path: None
    assert [done.sent for done in indexed(elastic, lake)] == [4]
    assert [done.sent for done in indexed(elastic, lake)] == [0]


@pytest.mark.parametrize("at", ["_bulk", "_refresh", "_delete_by_query"])
def test_a_day_that_comes_back_to_what_it_was_after_one_was_broken_off_is_whole(
    elastic: Elastic, lake: Lake, at: str
) -> None:
    """Prices were changed, the run was killed, the prices were changed back: half of the documents were the others'."""
    indexed(elastic, lake)
    before = elastic.documents("charges")
    small_lake.replace_day(lake, {"charges": charges("0.7", "0.8", "0.9", "1.0")}, samples=2)
    mine = iter([None, None] if at == "_bulk" else [])  # the day's mark and the charges get through

    def fault(_: str, path: str) -> Answer | None:
        return next(mine, (503, {})) if path.endswith(at) else None

    elastic.fault = fault
    with pytest.raises(PostError):
        indexed(elastic, lake)
    assert elastic.documents("charges") != before
    elastic.fault = lambda _method, _path: None
    small_lake.replace_day(lake, {"charges": charges("0.1", "0.200001", "0.3")}, samples=1)
    assert [done.sent for done in indexed(elastic, lake)] == [4]
    assert elastic.documents("charges") == before
    assert [done.sent for done in indexed(elastic, lake)] == [0]


def test_what_there_was_no_room_for_is_sent_again_and_nothing_else(elastic: Elastic, lake: Lake) -> None:
    indexed(elastic, lake)
    [index] = [name for name in elastic.held if "charges" in name]
    elastic.full = {next(iter(elastic.held[index]))}
    elastic.asked.clear()
    indexed(elastic, lake, again=True)
    assert elastic.full == set()
    assert elastic.written == 8
    sizes = [size for _, path, size in elastic.asked if path == "/_bulk"]
    assert len(sizes) == 3, "all charges, the one again, the day"
    assert sizes[1] * 3 == pytest.approx(sizes[0], rel=0.01)


ODD: tuple[dict[str, Any], ...] = (
    {}, {"items": None}, {"items": [{}] * 3}, {"items": [{"index": {}}] * 3}, {"items": [1] * 3},
)  # fmt: skip


def refusing(status: int, **error: str) -> Answer:
    return status, {"error": error}


@pytest.mark.parametrize(
    ("answer", "fault", "told"),
    [
        (refusing(401, type="security_exception"), ConfigError, r"refused the key or the user \(401\)"),
        (refusing(403, type="security_exception"), ConfigError, r"refused the key or the user \(403\)"),
        (refusing(400, type="illegal", reason="a\nb"), ConfigError, r"\(400\): illegal: a b"),
        ((413, {}), ConfigError, r"no request as large as 4 MB \(413\)"),
        ((302, {}), ConfigError, r"another address \(302\)"),
        *(
            ((200, told), ConfigError, "does not answer a bulk request as Elasticsearch does")
            for told in ODD
        ),
        ((200, {"items": [{"index": {"status": 400, "error": "no"}}] * 3}), ConfigError, "3 of 3 documents: no"),
        ((429, {}), PostError, r"not available \(429\)"),
    ],
)  # fmt: skip
def test_a_refusal_is_named(
    elastic: Elastic, lake: Lake, answer: Answer, fault: type[Exception], told: str
) -> None:
    elastic.fault = lambda _, path: answer if path == "/_bulk" else None
    with pytest.raises(fault, match=told):
        indexed(elastic, lake)


def test_another_mapping_and_no_server_and_no_key_are_named(elastic: Elastic, lake: Lake) -> None:
    wrong = template("costlab") | {"priority": 500}
    wrong["template"]["mappings"]["properties"]["costlab.total_cost"] = {"type": "keyword"}
    elastic.templates["of somebody else"] = wrong
    with pytest.raises(ConfigError, match=r"refused 3 of 3 documents: .*field \[costlab.total_cost\]"):
        indexed(elastic, lake)
    named = Elasticsearch(url="http://127.0.0.1:9", api_key_env="KEY")
    with pytest.raises(PostError, match="is not reachable, or does not answer"):
        list(Indexer(named, ENVIRON, patience=AT_ONCE).index(lake, [("prod", DAY)]))
    with pytest.raises(ConfigError, match=r"elasticsearch\.api_key_env: the variable KEY is not set"):
        list(Indexer(named, {}).index(lake, [("prod", DAY)]))


def test_a_night_indexes_the_week_and_a_server_that_is_down_stops_nothing(
    elastic: Elastic, lake: Lake
) -> None:
    named = Elasticsearch(url=elastic.url, api_key_env="KEY")
    settings = Settings.model_validate(
        {"lake": lake.path, "report": {"out": lake.path.parent / "out"}, "elasticsearch": named,
         "clusters": [{"id": "prod", "prometheus": {"url": "http://nowhere:9090"}}]}
    )  # fmt: skip
    said: list[str] = []

    def night() -> ExitCode:
        def no_source(*_: object) -> Any:
            raise AssertionError("nothing is due")

        index = Indexer(named, ENVIRON, patience=AT_ONCE).index
        return nightly(
            settings, Asked(), now=NOW, source_of=no_source, say=said.append, index=index
        ).exit_code

    elastic.fault = lambda _method, _path: (503, {})
    assert (night(), said[-1]) == (ExitCode.BUSY, f"elasticsearch: {elastic.url} is not available (503)")
    elastic.fault = lambda _method, _path: None
    assert (night(), said[-1]) == (ExitCode.DONE, f"prod {DAY}: 4 documents sent, 0 deleted")
    said.clear()
    assert night() is ExitCode.DONE
    assert not [line for line in said if "documents" in line], "what is there is left alone"


@given(st.lists(st.binary(max_size=60).map(bytes.hex), max_size=40), st.integers(1, 600))
def test_chunks_keep_everything_in_order_and_within_the_bound(texts: list[str], most_bytes: int) -> None:
    documents = [Document("i", str(n), {"text": text}) for n, text in enumerate(texts)]
    made = list(chunks(documents, most_bytes))
    assert [line for chunk in made for line in chunk] == [document.lines for document in documents]
    assert all(chunk and (len(chunk) == 1 or sum(map(len, chunk)) <= most_bytes) for chunk in made)


@given(st.decimals(-2_000_000_000, 2_000_000_000, places=6))
def test_money_is_exact_as_the_mapping_rounds_it(cost: Decimal) -> None:
    assert round(float(cost) * 1_000_000) == cost * 1_000_000
