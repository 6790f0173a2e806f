"""Prices of nodes: an hourly price is shared out whole, stretches tile the window, faults name their line."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from costlab.config.book import Discount, NodeRule, PriceBook, contradictions
from costlab.config.charging import Prices
from costlab.config.load import load
from costlab.config.prices import (
    SHIPPED_RATES,
    Billed,
    Capacity,
    NodeKind,
    UnitPrices,
    node_prices,
    prices_hash,
)
from costlab.domain.errors import ConfigError
from costlab.domain.time import HOUR_MS, Day, Window, milliseconds

FIRST = date(2026, 11, 1)
DAY = Day(FIRST).window
LABELS = {"label_node_kubernetes_io_instance_type": "big"}
MATCH = {"node.kubernetes.io/instance-type": "big"}

amounts = st.floats(0, 1000, allow_nan=False).map(lambda x: round(x, 4))
capacities = st.tuples(st.floats(0.5, 512), st.floats(1, 4096), st.integers(0, 16).map(float))
rates = st.builds(
    Prices,
    gpu_hour=st.none() | amounts,
    cpu_core_hour=amounts,
    memory_gib_hour=amounts,
)


def hourly_rule(hourly: float) -> PriceBook:
    return PriceBook(nodes=(NodeRule(match=MATCH, hourly=hourly),))


def only(capacity: Capacity, book: PriceBook, prices: Prices = SHIPPED_RATES) -> UnitPrices:
    [priced] = node_prices(NodeKind(capacity, None, LABELS), prices, book, DAY, "UTC")
    assert (priced.start_ms, priced.end_ms) == (DAY.start_ms, DAY.end_ms)
    return priced.prices


def total(capacity: tuple[float, float, float], unit: UnitPrices) -> float:
    cores, gib, gpus = capacity
    gpu = unit.gpu or 0.0
    return cores * unit.cpu + gib * unit.memory + gpus * gpu


@given(capacities, amounts, rates)
def test_the_parts_of_an_hourly_price_add_up_to_it(
    capacity: tuple[float, float, float], hourly: float, prices: Prices
) -> None:
    assert total(capacity, only(capacity, hourly_rule(hourly), prices)) == pytest.approx(
        hourly, rel=1e-12, abs=1e-12
    )


@given(capacities, amounts, rates)
def test_twice_the_price_is_twice_every_part(capacity: Capacity, hourly: float, prices: Prices) -> None:
    once, twice = (only(capacity, hourly_rule(price), prices) for price in (hourly, 2 * hourly))
    assert (twice.cpu, twice.memory) == (2 * once.cpu, 2 * once.memory)
    assert twice.gpu == (None if once.gpu is None else 2 * once.gpu)


@given(capacities, amounts.filter(bool))
def test_the_parts_are_in_the_ratio_of_the_default_rates(capacity: Capacity, hourly: float) -> None:
    unit = only(capacity, hourly_rule(hourly))
    assert unit.cpu / unit.memory == pytest.approx(2)
    assert unit.gpu is not None
    assert unit.gpu / unit.cpu == pytest.approx(25)


@st.composite
def histories(draw: st.DrawFn) -> PriceBook:
    """Rules for the same nodes that follow each other, and discounts here and there."""
    cuts = sorted(draw(st.sets(st.integers(-5, 40), max_size=4)))
    ends = [None, *(FIRST + timedelta(days=cut) for cut in cuts), None]
    rules = [
        NodeRule(match=MATCH, hourly=draw(amounts), valid_from=start, valid_to=end)
        for start, end in zip(ends, ends[1:], strict=False)
    ]
    discounts = [
        Discount(percent=draw(st.floats(0, 100)), valid_from=FIRST + timedelta(days=draw(st.integers(0, 30))))
        for _ in range(draw(st.integers(0, 2)))
    ]
    return PriceBook(nodes=tuple(draw(st.permutations(rules))), discounts=tuple(discounts))


@given(
    histories(),
    st.integers(-100, 900),
    st.integers(0, 900),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu"]),
)
def test_stretches_tile_the_window_and_each_instant_has_its_rule(
    book: PriceBook, start_h: int, hours: int, timezone: str
) -> None:
    start_ms = Day(FIRST, timezone).window.start_ms + start_h * 3_600_000
    window = Window(start_ms, start_ms + hours * 3_600_000)
    priced = node_prices(NodeKind((4, 16, 2), None, LABELS), Prices(), book, window, timezone)
    assert [window.start_ms, *(p.end_ms for p in priced)] == [*(p.start_ms for p in priced), window.end_ms]
    assert all(p.start_ms < p.end_ms for p in priced)
    assert all(a.prices != b.prices for a, b in zip(priced, priced[1:], strict=False))
    for stretch in priced:
        for at_ms in (stretch.start_ms, stretch.end_ms - 1):
            [rule] = [r for r in book.nodes if holds(r, at_ms, timezone)]
            off = next((d.percent for d in book.discounts if holds(d, at_ms, timezone)), 0)
            expected = rule.hourly * (1 - off / 100)
            assert total((4, 16, 2), stretch.prices) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def holds(rule: NodeRule | Discount, at_ms: int, timezone: str) -> bool:
    """An oracle by the calendar: is the local date of the instant within the dates?"""
    local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(timezone)).date()
    return (rule.valid_from is None or rule.valid_from <= local) and (
        rule.valid_to is None or local < rule.valid_to
    )


def test_an_empty_window_has_no_price() -> None:
    assert node_prices(NodeKind((1, 1, 0), None, {}), Prices(), PriceBook(), Window(5, 5), "UTC") == []


def test_the_first_matching_rule_counts_then_the_model_then_the_defaults() -> None:
    book = PriceBook(
        nodes=(
            NodeRule(match={"zone": "a"}, hourly=9),
            NodeRule(match=MATCH, hourly=7, name="big ones"),
            NodeRule(match=MATCH | {"zone": "b"}, hourly=5),
        ),
        gpu_models={"NVIDIA A100-SXM4-80GB": 4.1},
    )
    size = (4.0, 16.0, 2.0)
    [priced] = node_prices(NodeKind(size, None, LABELS | {"label_zone": "b"}), Prices(), book, DAY, "UTC")
    assert total(size, priced.prices) == pytest.approx(7)
    assert priced.prices.source == "price book, nodes[1] (big ones)"
    [by_model] = node_prices(NodeKind(size, "NVIDIA-A100-SXM4-80GB", {}), Prices(), book, DAY, "UTC")
    source = "gpu: price book, gpu_models (NVIDIA A100-SXM4-80GB); cpu, memory: default rates"
    assert by_model.prices == UnitPrices(0.1, 0.05, 4.1, source)
    [default] = node_prices(NodeKind(size, "other", {}), Prices(), book, DAY, "UTC")
    assert default.prices == UnitPrices(0.1, 0.05, 2.5, "default rates")
    [unknown] = node_prices(NodeKind(size, "other", {}), Prices(gpu_hour=None), book, DAY, "UTC")
    assert unknown.prices == UnitPrices(0.1, 0.05, None, "gpu: no price; cpu, memory: default rates")


@pytest.mark.parametrize(
    ("capacity_type", "hourly"),
    [("spot", 2), ("on-demand", 6), (None, 5)],
    ids=["spot", "on-demand", "unknown"],
)
def test_nodes_of_one_type_are_priced_apart_by_what_they_are_bought_as(
    capacity_type: str | None, hourly: float
) -> None:
    book = PriceBook(
        nodes=(
            NodeRule(match=MATCH, hourly=2, capacity_type="spot"),
            NodeRule(match=MATCH, hourly=8, capacity_type="on-demand"),
            NodeRule(match=MATCH, hourly=5),
        ),
        discounts=(Discount(percent=25, capacity_type="on-demand"),),
    )
    assert contradictions(book, "UTC") == []
    size = (4.0, 16.0, 2.0)
    [priced] = node_prices(NodeKind(size, None, LABELS, capacity_type), Prices(), book, DAY, "UTC")
    assert total(size, priced.prices) == pytest.approx(hourly)


def test_a_models_price_changes_when_its_validity_does() -> None:
    change = datetime(2026, 11, 1, 14, 30, tzinfo=UTC)
    prices = [{"hourly": 4.0, "valid_to": change}, {"hourly": 3.0, "valid_from": change}]
    book = PriceBook.model_validate({"gpu_models": {"L4": prices}})
    priced = node_prices(NodeKind((4.0, 16.0, 2.0), "l4", {}), Prices(), book, DAY, "UTC")
    assert [(p.end_ms, p.prices.gpu) for p in priced] == [(milliseconds(change), 4.0), (DAY.end_ms, 3.0)]


def test_a_bill_counts_before_everything_for_as_long_as_it_is_over() -> None:
    book = PriceBook(nodes=(NodeRule(match=MATCH, hourly=7),), discounts=(Discount(percent=50),))
    noon_ms, size = DAY.start_ms + 12 * HOUR_MS, (4.0, 16.0, 2.0)
    billed = Billed(DAY.start_ms - HOUR_MS, noon_ms, 11.0, "bill november.csv")
    first, second = node_prices(NodeKind(size, "L4", LABELS), Prices(), book, DAY, "UTC", billed=billed)
    assert (first.end_ms, first.prices.source) == (noon_ms, "bill november.csv")
    assert [total(size, each.prices) for each in (first, second)] == pytest.approx([11, 3.5])


@given(st.sampled_from([(None, 1.0, 1.0), (1.0, None, 0.0), (1.0, 1.0, None), (0.0, 0.0, 0.0)]), amounts)
def test_a_price_is_not_shared_out_over_an_unknown_capacity(capacity: Capacity, hourly: float) -> None:
    assert only(capacity, hourly_rule(hourly)).source == "default rates"


def test_the_hash_follows_every_price_but_not_where_the_book_lies(tmp_path: Path) -> None:
    base = prices_hash(Prices(), PriceBook())
    assert base == prices_hash(Prices(book=tmp_path), PriceBook())
    others = [
        prices_hash(Prices(gpu_hour=3), PriceBook()), prices_hash(Prices(currency="EUR"), PriceBook()),
        prices_hash(Prices(), hourly_rule(1)), prices_hash(Prices(), hourly_rule(2)),
        prices_hash(Prices(), PriceBook(gpu_models={"L4": 1})),
        prices_hash(Prices(), PriceBook(discounts=(Discount(percent=1),))),
    ]  # fmt: skip
    assert len({base, *others}) == 7


EDGE = "must be a date such as 2026-11-22, or an instant such as 2026-11-22T14:30:00+01:00"
BAD_BOOK = """\
nodes:
  - match: {gpu: a}
    hourly: -1
  - match: {}
    hourly: .nan
  - match: {gpu: b}
    hourly: "3"
    valid_from: 2026-01-02
    valid_to: tomorrow
  - {match: {gpu: c}, hourly: 1, valid_from: 2026-02-01, valid_to: 2026-02-01}
  - match: {gpu: yes}
    hourli: 3
gpu_models:
  L4: true
  H100: .inf
  T4: 1000001
  T5: []
  T6: [{hourly: .nan}]
  T7:
  - {hourly: 1, valid_to: 2026-11-01 12:00:00}
  - {hurly: 1}
storge: {fast: 1}
"""


def test_every_fault_of_the_book_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(BAD_BOOK)
    (tmp_path / "costlab.yaml").write_text("prices:\n  book: p.yaml\n  gpu_hour: -1\n")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "costlab.yaml", {})
    told = {line.strip().replace(f"{tmp_path}/", "") for line in caught.value.message.splitlines()[1:]}
    assert told == {
        "costlab.yaml:3: prices.gpu_hour: must not be less than 0",
        "p.yaml:3: nodes[0].hourly: must not be less than 0",
        "p.yaml:4: nodes[1].match: must not be empty",
        "p.yaml:5: nodes[1].hourly: must be a finite number",
        "p.yaml:7: nodes[2].hourly: must be a number",
        f"p.yaml:9: nodes[2].valid_to: {EDGE}",
        "p.yaml:10: nodes[3]: valid_to must be later than valid_from",
        "p.yaml:11: nodes[4].match.gpu: must be text: put it in quotes",
        "p.yaml:11: nodes[4].hourly: is missing",
        "p.yaml:12: nodes[4].hourli: is unknown; did you mean 'hourly'?",
        "p.yaml:14: gpu_models.L4: must be a number",
        "p.yaml:15: gpu_models.H100: must be a finite number",
        "p.yaml:16: gpu_models.T4: must not be more than 1000000",
        "p.yaml:17: gpu_models.T5: must not be empty",
        "p.yaml:18: gpu_models.T6[0].hourly: must be a finite number",
        f"p.yaml:20: gpu_models.T7[0].valid_to: {EDGE}",
        "p.yaml:21: gpu_models.T7[1].hourly: is missing",
        "p.yaml:21: gpu_models.T7[1].hurly: is unknown; did you mean 'hourly'?",
        "p.yaml:22: storge: is unknown; did you mean 'storage'?",
    }


@pytest.mark.parametrize(
    ("book", "said"),
    [
        ("nodes:\n- {match: {a: x}, hourly: 1}\n- {match: {label_a: x}, hourly: 2}\n", r"p.yaml:3: nodes\[1\]: overlaps"),
        (
            "nodes:\n- {match: {a: x}, hourly: 1, valid_from: 2026-03-01}\n- {match: {a: x}, hourly: 2, valid_to: 2026-02-01}\n",
            r"p.yaml:2: nodes\[0\]: leaves no price from 2026-02-01 to 2026-03-01",
        ),
        ("gpu_models:\n  NVIDIA A100: 1\n  nvidia-a100: 2\n", r"p.yaml:3: gpu_models.nvidia-a100: is the same model"),
        ("discounts:\n- {percent: 1}\n- {percent: 2, valid_from: 2026-01-01}\n", r"p.yaml:3: discounts\[1\]: overlaps"),
        (
            "nodes:\n- {match: {a: x}, hourly: 1}\n- {match: {a: x, b: y}, hourly: 2, capacity_type: spot}\n",
            r"p.yaml:3: nodes\[1\]: never counts: nodes\[0\] before it has all of its nodes",
        ),
        (
            "nodes:\n- {match: {a: x}, hourly: 1, valid_to: 2026-02-01}\n- {match: {a: x}, hourly: 2, valid_from: 2026-02-01}\n- {match: {a: x, b: y}, hourly: 3, valid_from: 2026-01-01}\n",
            r"p.yaml:4: nodes\[2\]: never counts: nodes\[0\] and nodes\[1\] before it",
        ),
        (
            "gpu_models:\n  L4:\n  - {hourly: 2, valid_to: 2026-02-01}\n  - {hourly: 1, valid_from: 2026-02-01T00:00:01Z}\n",
            r"p.yaml:4: gpu_models.L4\[1\]: leaves no price from 2026-02-01 to 2026-02-01 00:00:01\+00:00: same model",
        ),
        (
            "nodes:\n- {match: {a: x}, hourly: 1, valid_from: 2026-02-01, valid_to: 2026-01-31T22:00:00Z}\n",
            r"p.yaml:2: nodes\[0\]: valid_to must be later than valid_from",
        ),
    ],
)  # fmt: skip
def test_rules_that_contradict_each_other_are_refused(tmp_path: Path, book: str, said: str) -> None:
    (tmp_path / "p.yaml").write_text(book)
    (tmp_path / "costlab.yaml").write_text("prices: {book: p.yaml}\n")
    with pytest.raises(ConfigError, match=said):
        load(tmp_path / "costlab.yaml", {})


def test_a_book_that_is_not_there_is_a_fault_of_the_line_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "costlab.yaml").write_text("prices:\n  book: p.yaml\n")
    with pytest.raises(
        ConfigError, match=r"costlab\.yaml:2: prices\.book: .*p\.yaml cannot be read: No such file"
    ):
        load(tmp_path / "costlab.yaml", {})


@given(st.dates(), st.dates())
def test_a_validity_is_in_order(start: date, end: date) -> None:
    assume(end <= start)
    with pytest.raises(ValueError, match="later than valid_from"):
        NodeRule(match=MATCH, hourly=1, valid_from=start, valid_to=end)
