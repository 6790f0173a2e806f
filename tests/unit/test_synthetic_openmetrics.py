"""What is written as OpenMetrics reads back as the very same series."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costlab.domain.time import HOUR_MS, Window
from costlab.sources import RawSeries
from costlab.sources.synthetic import SyntheticCluster
from costlab.sources.synthetic.openmetrics import write_openmetrics

EVER = Window(0, 2**42)
LINE = re.compile(r"(\w+)\{(.*)\} (\S+) (\S+)")
PAIR = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"', re.DOTALL)
ESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


Families = dict[str, list[RawSeries]]
Read = dict[str, dict[frozenset[tuple[str, str]], list[tuple[int, float]]]]


class Given:
    """Series that are simply there."""

    def __init__(self, families: Families) -> None:
        self.families = families

    def metrics(self) -> tuple[str, ...]:
        return tuple(self.families)

    def raw(self, metric: str, window: Window) -> list[RawSeries]:
        assert window == EVER
        return self.families[metric]


def read_openmetrics(path: Path) -> Read:
    """Reads numbers as Prometheus does: the seconds times 1000 are cut off."""
    text = path.read_bytes().decode()
    assert text.endswith("# EOF\n")
    families: Read = {}
    metric = ""
    for line in text.split("\n"):
        if line.startswith("# TYPE "):
            name, kind = line.split(" ")[2:]
            metric = name + ("_total" if kind == "counter" else "")
            assert metric not in families, "a family is in one piece"
            families[metric] = {}
        elif matched := LINE.fullmatch(line):
            name, pairs, value, seconds = matched.groups()
            assert name == metric
            labels = {k: re.sub(r"\\.", lambda m: ESCAPED[m[0]], v) for k, v in PAIR.findall(pairs)}
            samples = families[metric].setdefault(frozenset(({"__name__": name} | labels).items()), [])
            samples.append((int(float(seconds) * 1000), float(value)))
        else:
            assert line in {"", "# EOF"} or line.startswith("# HELP "), line
    return families


def as_read(families: Families) -> Read:
    return {
        metric: {
            frozenset(found.labels.items()): list(
                zip(found.at_ms.tolist(), found.values.tolist(), strict=True)
            )
            for found in family
        }
        for metric, family in families.items()
        if family
    }


@st.composite
def families(draw: st.DrawFn) -> Families:
    hostile = st.text(st.sampled_from('\\"\n{},=# né\u2028\U0001f680'), max_size=12)
    # Every millisecond from 2004-11 to 2038 must survive the cut.
    instants = st.lists(
        st.integers(1_099_511_627_776, 2_147_483_647_999), min_size=1, max_size=5, unique=True
    )
    made: Families = {}
    for metric in draw(st.lists(st.sampled_from(("a_total", "b", "c_seconds")), unique=True)):
        series = {}
        for value in draw(st.lists(hostile, max_size=4, unique=True)):
            at_ms = np.array(sorted(draw(instants)), np.int64)
            floats = st.floats(allow_nan=False)
            values = np.array([draw(floats) for _ in at_ms], np.float64)
            series[value] = RawSeries({"__name__": metric, "label": value, "z": "1"}, at_ms, values)
        made[metric] = list(series.values())
    return made


@settings(deadline=None, max_examples=200)
@given(made=families())
def test_hostile_labels_and_any_double_come_back(
    tmp_path_factory: pytest.TempPathFactory, made: Families
) -> None:
    path = tmp_path_factory.mktemp("openmetrics") / "file.om"
    count = write_openmetrics(Given(made), EVER, path)
    assert read_openmetrics(path) == as_read(made)
    assert count == sum(len(found.at_ms) for family in made.values() for found in family)


def test_an_hour_of_the_cluster_comes_back(tmp_path: Path) -> None:
    cluster = SyntheticCluster()
    start_ms = cluster.days[-1].window.start_ms + 9 * HOUR_MS
    hour = Window(start_ms, start_ms + HOUR_MS)
    count = write_openmetrics(cluster, hour, tmp_path / "hour.om")
    read = read_openmetrics(tmp_path / "hour.om")
    assert read == as_read({metric: cluster.raw(metric, hour) for metric in cluster.metrics()})
    assert count > 50_000
