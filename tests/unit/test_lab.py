"""The lab: what it answers is what the command line and the tables say, and nothing can be changed through it."""

import json
import warnings
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from matplotlib import pyplot as plt

from costlab.domain.errors import ConfigError
from costlab.lab import Lab, load_ipython_extension
from costlab.lab import open as open_lab
from costlab.lab.demo import demo_lake
from costlab.render import plots


@pytest.fixture(scope="module")
def lab(demo_cache: Path) -> Lab:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(demo_cache))
        return open_lab("demo")


class Shell:
    """What of IPython's shell a magic sees."""

    def __init__(self) -> None:
        self.user_ns: dict[str, Any] = {}
        self.magics: dict[str, Any] = {}

    def register_magic_function(self, function: Any, kind: str, name: str) -> None:
        assert kind == "line_cell"
        self.magics[name] = function

    def push(self, variables: dict[str, Any]) -> None:
        self.user_ns |= variables


def test_the_demo_is_measured_once(demo_cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(demo_cache))
    assert demo_lake() == demo_lake()
    assert capsys.readouterr().err == ""
    assert [path.name for path in (demo_cache / "costlab").iterdir()] == [demo_lake().parent.name]


def test_frames_of_every_kind_hold_the_same(lab: Lab) -> None:
    text = "select team, cost from charges where cost > $least order by cost desc, team limit 20"
    arrow = lab.sql(text, least=1, to="arrow")
    assert isinstance(arrow, pa.Table)
    assert arrow["cost"].type == pa.decimal128(18, 6)
    assert pl.DataFrame(arrow).equals(lab.sql(text, least=1, to="polars"))
    assert lab.sql(text, least=1)["cost"].tolist() == [float(cost) for cost in arrow["cost"].to_pylist()]
    with pytest.raises(ConfigError, match="did you mean 'polars'"):
        lab.sql("select 1", to="polar")


def test_a_window_is_counted_from_the_last_day_that_there_is(lab: Lab) -> None:
    total = lab.sql("select sum(cost) as cost from charges where date >= '2026-11-14'")["cost"][0]
    assert lab.cost(window="7d")["cost"].iloc[-1] == pytest.approx(total, abs=1e-6)
    assert lab.cost(window="2026-11-14..2026-11-21", by="node")["cost"].iloc[-1] == pytest.approx(
        total, abs=1e-6
    )


def test_other_prices_change_what_they_name_by_their_ratio_and_nothing_else(lab: Lab) -> None:
    before = lab.sql(
        "select resource, sum(cost) as cost from charges where date >= '2026-11-14' group by resource",
        to="arrow",
    )
    cost = dict(zip(before["resource"].to_pylist(), before["cost"].to_pylist(), strict=True))
    rows = lab.what_if({"cpu_core_hour": 0.2}, by="resource", to="arrow").to_pylist()
    after = {row["resource"]: row for row in rows}
    charges = lab.sql("select count(*) as n from charges where date >= '2026-11-14' and resource = 'cpu'")[
        "n"
    ][0]
    assert abs(after["cpu"]["cost_what_if"] - 2 * cost["cpu"]) <= charges * Decimal("0.000002")
    assert {name: row["difference"] for name, row in after.items() if name not in ("cpu", "(total)")} == {
        name: 0 for name in cost if name != "cpu"
    }
    assert after["(total)"]["difference"] == after["cpu"]["difference"]
    unchanged = lab.what_if({"gpu_models": {"No Such GPU": 1.0}}, by="gpu_model", to="arrow")
    assert set(unchanged["difference"].to_pylist()) == {0}


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        ({"gpu_hours": 2}, "did you mean 'gpu_hour'"),
        ({}, "no price is named"),
        ({"gpu_hour": -1}, "-1 is no price"),
        ({"gpu_models": {"L4": "cheap"}}, "'cheap' is no price"),
        ({"cpu_core_hour": float("nan")}, "nan is no price"),
    ],
)
def test_a_price_that_is_none_is_refused(lab: Lab, prices: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        lab.what_if(prices)


def test_tables_and_columns_are_described(lab: Lab) -> None:
    assert (
        lab.tables().set_index("table")["rows"]["charges"]
        == lab.sql("select count(*) as n from charges")["n"][0]
    )
    assert lab.describe("charges").set_index("column")["unit"]["cost"] == "currency"
    assert set(lab.describe()["table"]) == set(lab.tables()["table"])
    assert lab.queries().set_index("query")["params"]["teams"] == "cluster, day"
    assert lab.days()["state"].tolist() == ["complete"] * 30
    assert "1 cluster, 2026-10-22 to 2026-11-20" in repr(lab)
    assert "<script" not in lab._repr_html_()
    with pytest.raises(ConfigError, match="did you mean 'charges'"):
        lab.describe("charge")


@pytest.mark.parametrize(
    "text",
    ["drop view charges", "create view charges as select 1", "attach 'x.db'", "copy (select 1) to 'x.csv'", "set threads = 4",
     "select 1; delete from charges"],
)  # fmt: skip
def test_nothing_can_be_changed(lab: Lab, text: str) -> None:
    with pytest.raises(ConfigError, match="is no question"):
        lab.sql(text)


def test_a_figure_shows_what_the_lake_says(lab: Lab) -> None:
    axes: Any = lab.plot.cost(by="team", window="7d")
    drawn: float = sum(bar.get_height() for bars in axes.containers for bar in bars)
    assert drawn == pytest.approx(lab.cost(window="7d")["cost"].iloc[-1], rel=1e-9)
    waste: Any = lab.plot.waste(by="team", top=3)
    most = lab.cost(by="team")[:-1]["cost_unused"].nlargest(3).tolist()
    assert [bar.get_width() for bar in waste.containers[1]] == pytest.approx(most)
    heat: Any = lab.plot.gpus(window="1d").images[0].get_array()
    rows = lab.query("gpu_hours", start="2026-11-20", until="2026-11-21", cluster="")
    assert heat.count() == len(rows)
    assert heat.mean() == pytest.approx(rows["busy_ratio"].mean())
    _, given = plt.subplots()
    usage = lab.plot.workload("recsys/redis", resource="cpu", window="2d", ax=given)
    assert usage is given
    assert max(np.nanmax(line.get_ydata()) for line in usage.lines) == 1.0  # the request
    for fault, said in (("redis", "names no namespace"), ("recsys/rediss", "was observed")):
        with pytest.raises(ConfigError, match=said):
            lab.plot.workload(fault)
    plt.close("all")


def test_a_figure_shows_names_as_they_are_and_nothing_as_nothing() -> None:
    names = [r"$\frac{1}{2$", "x" * 253, "a$b$c"]
    days = [date(2026, 11, day) for day in (1, 2)]
    drawn: list[Any] = [
        plots.daily_costs(days, dict.fromkeys(names, np.zeros(2)), "USD"),
        plots.waste(names, dict.fromkeys(("used", "unused", "unobserved"), [0.0] * 3), "USD"),
    ]
    for axes in drawn:
        with warnings.catch_warnings(action="error"):
            axes.figure.canvas.draw()  # a name that is half a formula would be a fault of its parser
        legend = [text.get_text() for text in axes.get_legend().get_texts()]
        shown = [text.get_text() for text in axes.get_yticklabels()] + legend
        assert {names[0], names[2]} <= set(shown)
        assert max(map(len, shown)) <= 60
    amounts = drawn[0].get_ylim(), drawn[1].get_xlim()
    assert amounts == ((0, 1), (0, 1)), "neither below nothing nor of billionths"
    plt.close("all")


def test_a_lake_without_a_day_says_so(tmp_path: Path) -> None:
    from costlab.store.lake import Lake

    empty = Lab(Lake.create(tmp_path / "lake"))
    assert "no day yet" in repr(empty)
    assert empty.cost().shape[0] == 1
    with pytest.raises(ConfigError, match="no GPU was observed"):
        empty.plot.gpus()


def test_the_magic_asks_the_lake_that_was_opened_last(lab: Lab) -> None:
    shell = Shell()
    load_ipython_extension(shell)
    magic = shell.magics["costlab"]
    with pytest.raises(ConfigError, match="no lake is open"):
        magic("", "select 1")
    assert "costlab lake" in repr(magic(str(lab.path)))
    shell.user_ns["wanted"] = "vision"
    assert magic("kept <<", "select sum(cost) as cost from charges where team = $wanted") is None
    everything = lab.cost(window="2026-10-22..2026-11-21").set_index("team")["cost"]
    assert shell.user_ns["kept"]["cost"][0] == pytest.approx(everything["vision"])
    with pytest.raises(ConfigError, match=r"\$unset"):
        magic("", "select $unset")


def test_an_error_is_two_lines_in_a_notebook() -> None:
    error = ConfigError("this is wrong", "do that")
    assert error._render_traceback_() == ["error: this is wrong", "hint: do that"]
    assert json.dumps(str(error)) == '"this is wrong"'
