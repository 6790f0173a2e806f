"""What `costlab energy` answers of a small cluster: sums, CO2, and what is not known."""

from datetime import date
from math import nan
from typing import Any

import pytest
from small_world import Measured, World

from costlab.config.settings import Settings
from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError
from costlab.domain.signals import Signal
from costlab.jobs.asked import Filters
from costlab.jobs.consumption import energy_used
from costlab.store.warehouse import Warehouse

GPU = {"gpu_uuid": "GPU-1", "node": "n1"}
OF_A = {"namespace": "ns", "pod": "a", "container": "app"}
TODAY = Dates(date(2026, 11, 20), date(2026, 11, 21))


def world() -> World:
    return World().node(nvidia_com_gpu=4.0).pod("a", requests={"nvidia_com_gpu": 1.0}).use("a")


def asked(day: Measured, by: str, settings: Settings, **filters: str) -> list[dict[str, Any]]:
    warehouse = Warehouse.over_tables(day.tables)
    rows: list[dict[str, Any]] = energy_used(
        warehouse, settings, by.split(","), TODAY, Filters(**filters)
    ).to_pylist()
    return rows


def test_co2_is_that_of_the_clusters_grid_and_data_centre() -> None:
    made = world().add(Signal.GPU_POWER, {**GPU, **OF_A}, 1000)
    made.add(Signal.GPU_POWER, {**GPU, "gpu_uuid": "GPU-2"}, 500)
    day = Measured(made)
    (a, nobody, total) = asked(day, "team", Settings())
    assert (a["team"], nobody["team"], total["team"]) == ("unallocated", "(nobody)", "(total)")
    assert (a["energy_kwh"], nobody["energy_kwh"]) == (pytest.approx(24), pytest.approx(12))
    assert total["co2_kg"] == pytest.approx(36 * 1.56 * 0.48)
    assert (total["coverage"], nobody["coverage"], total["cpu_memory_kwh"]) == (pytest.approx(1), None, None)
    clusters = [{"id": "test", "prometheus": {"url": "http://p"}, "energy": {"pue": 1.1}}]
    own = Settings.model_validate({"clusters": clusters, "energy": {"grams_co2_per_kwh": 56}})
    assert asked(day, "source,node", own)[-1]["co2_kg"] == pytest.approx(36 * 1.1 * 0.056)
    assert [row["energy_kwh"] for row in asked(day, "pod", own, team="unallocated")] == [
        pytest.approx(24)
    ] * 2


def test_what_was_not_measured_is_no_nought() -> None:
    day = Measured(world().gpu("GPU-1", 0.5, "a"))
    (total,) = asked(day, "date,workload", Settings())
    assert {total[name] for name in ("gpu_kwh", "energy_kwh", "co2_kg", "coverage")} == {None}
    unread = Measured(world().add(Signal.GPU_POWER, GPU, nan))
    assert asked(unread, "team", Settings())[-1]["co2_kg"] is None


def test_a_dimension_that_energy_has_not_is_refused() -> None:
    with pytest.raises(ConfigError, match="--by teem: no such dimension; did you mean 'team'"):
        asked(Measured(world()), "teem", Settings())
