"""The warehouse answers from the lake's files, and from nothing else."""

import os
import signal
from pathlib import Path
from random import Random
from threading import Timer
from typing import Any, cast

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_lake import replace_day, usage

from costlab.domain.errors import ConfigError, CostlabError, ExitCode
from costlab.store.content import content_hash
from costlab.store.lake import Lake
from costlab.store.schema import conform, micros_to_decimal
from costlab.store.warehouse import Warehouse, queries, unordered


@pytest.fixture(scope="module")
def warehouse() -> Warehouse:
    return Warehouse.over_tables({})


@pytest.mark.parametrize(
    "text",
    [
        "select * from read_csv('/etc/passwd')",
        "select * from read_parquet('/tmp/*.parquet')",
        "copy (select 1) to '/tmp/costlab-escape.csv'",
        "attach '/tmp/costlab-escape.db'",
        "install httpfs",
        "set enable_external_access = true",
    ],
)
def test_nothing_outside_can_be_reached(warehouse: Warehouse, text: str) -> None:
    with pytest.raises(ConfigError, match="SQL: "):
        warehouse.sql(text)


@pytest.mark.parametrize(
    "text",
    [
        "select cast('x.parquet' as integer)",
        "select error('x.parquet')",
        "select * from \"file 'x.parquet'\"",
    ],
)
def test_a_word_that_looks_like_a_file_s_is_no_damage(warehouse: Warehouse, text: str) -> None:
    with pytest.raises(ConfigError, match="SQL: "):
        warehouse.sql(text)


def test_whatever_byte_of_a_file_is_damaged_is_a_fault_of_the_lake(tmp_path: Path) -> None:
    """DuckDB has a dozen ways to say so, most of them without the file's name."""
    lake, dice = Lake.create(tmp_path / "lake"), Random(5)
    replace_day(lake, {"gpu_usage": usage(*(dice.randrange(400) for _ in range(3000)))})
    (file,) = lake.readable_files()["gpu_usage"]
    sound, said = file.read_bytes(), set()
    for begin in range(0, len(sound), 97):
        length = dice.choice((1, 8, 64))
        file.write_bytes(sound[:begin] + dice.randbytes(length) + sound[begin + length :])
        try:
            Warehouse.over(lake).sql("select * from gpu_usage")
        except CostlabError as fault:
            said.add((fault.exit_code, fault.hint, fault.message.rpartition(": ")[2][:20]))
    assert {code for code, *_ in said} == {ExitCode.LAKE_DAMAGED}
    assert all("doctor --files" in hint for _, hint, _ in said)
    assert len(said) > 5


def test_a_wrong_name_is_answered_with_the_right_one(warehouse: Warehouse) -> None:
    with pytest.raises(ConfigError, match="no query 'headlin'") as caught:
        warehouse.query("headlin")
    assert caught.value.hint == "did you mean headline?"
    for text, near in (("select csot from charges", '"cost", '), ("select 1 from chargs", '"charges"?')):
        with pytest.raises(ConfigError, match="SQL: ") as caught:
            warehouse.sql(text)
        assert caught.value.hint.startswith(f"did you mean {near}")
    with pytest.raises(ConfigError, match=r"lacks \$cluster, \$day"):
        warehouse.query("headline")
    with pytest.raises(ConfigError, match=r"has no \$week"):
        warehouse.query("headline", cluster="c", day="2026-11-22", week="w")


ENDLESS = "select count(*) from range(1000000000000) as r(n) where hash(n) % 7 = 3"


def test_only_the_last_order_of_a_view_is_taken_off() -> None:
    inner = "select *\nfrom (\n  select 1 as a\n  order by a\n)"
    assert unordered(f"{inner}\norder by a, 1\n") == inner
    assert unordered(inner) == inner


def test_an_interruption_is_no_fault_of_the_query(warehouse: Warehouse) -> None:
    interruption = Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    interruption.start()
    with pytest.raises(KeyboardInterrupt):
        warehouse.sql(ENDLESS)
    interruption.join()


@pytest.mark.parametrize("raised", ["KeyboardInterrupt: ", "SystemExit: 143"])
def test_an_interruption_while_duckdb_asks_for_rows_is_none_either(raised: str) -> None:
    """Too quick to be hit by a real signal: these are DuckDB's words when one in a thousand was."""

    class Interrupted:
        def sql(self, *_: object, **__: object) -> None:
            raise duckdb.InvalidInputException(
                f"Invalid Input Error: counting the rows of the object registered as 't' failed: {raised}"
            )

    with pytest.raises(KeyboardInterrupt):
        Warehouse(cast("Any", Interrupted())).sql("from t")


def test_every_check_passes_on_nothing(warehouse: Warehouse) -> None:
    checks = [query.name for query in queries().values() if query.folder == "checks"]
    assert len(checks) >= 8
    assert [warehouse.query(check).num_rows for check in checks] == [0] * len(checks)


def test_columns_are_those_declared() -> None:
    with pytest.raises(ValueError, match="findings lacks the columns amount"):
        conform(
            "findings",
            {name: [] for name in ("cluster", "date", "rule", "severity", "subject", "message")},
        )


@given(st.lists(st.tuples(st.integers(-(10**15), 10**15), st.booleans()), min_size=1))
def test_micro_units_are_decimals(pairs: list[tuple[int, bool]]) -> None:
    import numpy as np

    micros, null = np.array([m for m, _ in pairs]), np.array([n for _, n in pairs])
    back = micros_to_decimal(micros, null).to_pylist()
    assert [None if v is None else int(v * 10**6) for v in back] == [None if n else m for m, n in pairs]


TEXTS = st.lists(st.one_of(st.none(), st.text(max_size=4)), max_size=5)
MAPS = st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3), max_size=4)


@given(TEXTS, TEXTS)
def test_hashes_are_equal_exactly_when_rows_are(a: list[str | None], b: list[str | None]) -> None:
    left, right = (pa.table({"x": pa.array(v, pa.string())}) for v in (a, b))
    assert (content_hash(left) == content_hash(right)) == (a == b)


@given(MAPS, MAPS)
def test_hashes_of_maps(a: list[dict[str, str]], b: list[dict[str, str]]) -> None:
    kind = pa.map_(pa.string(), pa.string())
    left, right = (pa.table({"x": pa.array([list(m.items()) for m in v], kind)}) for v in (a, b))
    same = [list(m.items()) for m in a] == [list(m.items()) for m in b]
    assert (content_hash(left) == content_hash(right)) == same


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=9), st.data())
def test_hashes_do_not_see_chunks(values: list[int], data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(values) - 1))
    whole = pa.table({"x": pa.array(values), "y": pa.array([str(v) for v in values])})
    parts = pa.concat_tables([whole.slice(0, cut), whole.slice(cut)])
    assert content_hash(whole) == content_hash(parts)
    assert content_hash(whole.slice(cut)) == content_hash(
        pa.table(whole.slice(cut).to_pydict(), schema=whole.schema)
    )
