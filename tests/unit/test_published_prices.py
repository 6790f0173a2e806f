"""Published cases of others for node prices (OpenCost, Kubecost): their inputs through this code, to their digits."""

from decimal import Decimal

import pytest
from small_world import DAY, Measured, World

from costlab.config.book import NodeRule, PriceBook
from costlab.config.charging import Prices
from costlab.config.prices import NodeKind, node_prices
from costlab.domain.signals import Signal
from costlab.domain.units import GIB
from costlab.jobs.measure import price
from costlab.store.rows import whole
from costlab.store.schema import conform

RTX = {"gpu_models": {"Quadro_RTX_4000": 0.75}}
REGIONS = PriceBook(
    nodes=(
        NodeRule(match={"type": "e2", "region": "region-one"}, hourly=0.1337),
        NodeRule(match={"type": "e2", "region": "region-two"}, hourly=0.1338),
        NodeRule(match={"type": "e2"}, hourly=0.1339),
    )
)
ONE_EACH = (1.0, 1.0, 1.0)
NO_GPU = (2.0, 4.0, 0.0)


def rates(cpu: float, memory: float, gpu: float) -> Prices:
    return Prices(cpu_core_hour=cpu, memory_gib_hour=memory, gpu_hour=gpu)


def hourly(price: float) -> PriceBook:
    return PriceBook(nodes=(NodeRule(match={"type": "e2"}, hourly=price),))


@pytest.mark.parametrize(
    ("capacity", "prices", "book", "cpu", "memory", "gpu"),
    [
        pytest.param(ONE_EACH, rates(30, 10, 30), hourly(35), "15.000000", "5.000000", "15.000000", id="split of $35"),
        pytest.param((4.0, 16.0, 1.0), rates(0.031611, 0.004237, 0.95), hourly(0.658), "0.018178", "0.002437", "0.546303",
                     id="split of $0.658 by default.json"),
        pytest.param((1.0, 1.0, 2.0), rates(20 / 730, 4 / 730, 500 / 730), PriceBook(), "0.027397", "0.005479", "0.684932",
                     id="custom prices of a month"),
        pytest.param((1.0, 1.0, 2.0), rates(0.5, 0.5, 0.5), PriceBook(), "0.500000", "0.500000", "0.500000",
                     id="prices of the metric"),
    ],
)  # fmt: skip
def test_unit_prices(
    capacity: tuple[float, float, float], prices: Prices, book: PriceBook, cpu: str, memory: str, gpu: str
) -> None:
    [priced] = node_prices(NodeKind(capacity, None, {"label_type": "e2"}), prices, book, DAY.window, "UTC")
    unit = priced.prices
    assert unit.gpu is not None
    assert [f"{each:.6f}" for each in (unit.cpu, unit.memory, unit.gpu)] == [cpu, memory, gpu]


def test_monthly_prices_by_the_byte_and_by_the_node() -> None:
    """The published figures are of hourly prices rounded to six decimals, as one would write them down."""
    kind = NodeKind((1.0, 1.0, 2.0))
    [priced] = node_prices(kind, rates(0.027397, 0.005479, 0.684932), PriceBook(), DAY.window, "UTC")
    assert f"{priced.prices.memory / GIB:.4e}" == "5.1027e-12"
    assert f"{2 * (priced.prices.gpu or 0):.6f}" == "1.369864"


@pytest.mark.parametrize(
    ("region", "expected"), [("region-one", 0.1337), ("region-two", 0.1338), ("elsewhere", 0.1339)]
)
def test_prices_by_region_then_without(region: str, expected: float) -> None:
    labels = {"label_type": "e2", "label_region": region}
    [priced] = node_prices(NodeKind(NO_GPU, None, labels), Prices(), REGIONS, DAY.window, "UTC")
    assert 2 * priced.prices.cpu + 4 * priced.prices.memory == pytest.approx(expected)


def test_a_price_by_gpu_type() -> None:
    kind = NodeKind(ONE_EACH, "Quadro-RTX-4000")
    [priced] = node_prices(kind, Prices(), PriceBook.model_validate(RTX), DAY.window, "UTC")
    assert priced.prices.gpu == 0.75


def test_idle_after_an_adjustment_by_the_bill() -> None:
    """Cluster 1 is listed at 55, 44 and 11, and billed 10 less; cluster 2 costs 50, 40 and 10; pods have 6, 16 (6), 6."""
    world = World()
    for node, memory in (("cluster1", 16.0), ("cluster2", 6.0)):
        world.node(node, cpu=50.0, memory=40.0 * GIB, nvidia_com_gpu=10.0)
        world.pod(
            f"on-{node}", node=node, requests={"cpu": 6.0, "memory": memory * GIB, "nvidia_com_gpu": 6.0}
        )
    world.add(Signal.NODE_LABELS, {"node": "cluster2", "label_type": "e2"}, 1)
    prices = {"cpu_core_hour": 55 / 24 / 50, "memory_gib_hour": 44 / 24 / 40, "gpu_hour": 11 / 24 / 10}
    listed = Measured(world, prices=prices, book=hourly(100 / 24).model_dump())
    window = DAY.window
    bills = conform("bills", {
        "cluster": "test", "date": DAY.date, "billing_account": ["1"], "billing_start": [window.start],
        "resource_id": ["cluster1"], "resource_name": [None], "service": [None], "category": ["Usage"],
        "charge_class": [None], "start": [window.start], "end": [window.end], "cost": [Decimal(100)],
        "cost_kind": ["EffectiveCost"], "currency": ["USD"], "file": ["b.csv"],
    })  # fmt: skip
    charges = whole(price(listed.facts, listed.settings, "test", DAY, bills).tables["charges"]).to_pylist()
    idle = {(row["node"], row["resource"]): row["cost"] for row in charges if row["kind"] == "idle"}
    assert idle == {
        ("cluster1", "cpu"): 44, ("cluster1", "memory"): 24, ("cluster1", "gpu"): 4,
        ("cluster2", "cpu"): 44, ("cluster2", "memory"): 34, ("cluster2", "gpu"): 4,
    }  # fmt: skip
    assert listed.total("cost", node="cluster1") == pytest.approx(110)
