"""A real Prometheus scrapes what a night leaves, and answers every question of the dashboard from it."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import prometheus_server
import pytest
import requests
from scrape_target import exposing, scraping

from costlab.config.settings import Settings
from costlab.domain.errors import ExitCode
from costlab.domain.metrics import METRICS, SAVING, Sample
from costlab.jobs.nightly import ClusterEnd
from costlab.jobs.telling import day_samples, run_samples
from costlab.render.exposition import exposition
from costlab.store.lake import Lake

pytestmark = pytest.mark.prometheus
DASHBOARD = json.loads((Path(__file__).parents[2] / "deploy/grafana/costlab.json").read_text())
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
BUDGETED = Settings.model_validate({"budgets": [{"team": "nlp", "monthly": 20_000}]})
HOSTILE = 'back\\slash "quote"\nnew line, {brace} = # \u00e9\u2028\U0001f680'


@pytest.fixture(scope="module")
def samples(demo_cache: Path) -> list[Sample]:
    (lake,) = demo_cache.glob("costlab/demo-*/lake")
    end = ClusterEnd("demo", ExitCode.DONE, 1)
    now = time.time()
    hostile = SAVING.sample(1.5, "demo", HOSTILE, "USD")
    return [*run_samples(end, now, 12.5, now), *day_samples(Lake.open(lake), BUDGETED, "demo"), hostile]


@pytest.fixture(scope="module")
def url(
    samples: list[Sample], prometheus_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    tsdb, text = tmp_path_factory.mktemp("tsdb"), exposition(samples)
    with (
        exposing(lambda: text) as target,
        prometheus_server.serving(tsdb, prometheus_folder, settings=scraping(target)) as url,
    ):
        deadline = time.monotonic() + 30
        while not asked(url, SAVING.name) and time.monotonic() < deadline:
            time.sleep(0.2)
        yield url


def asked(url: str, query: str) -> list[dict[str, Any]]:
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(f"{url}/api/v1/query", data={"query": query}, timeout=30)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]["result"]
    return found


def test_what_is_scraped_is_what_was_told(samples: list[Sample], url: str) -> None:
    found = {}
    for series in asked(url, '{__name__=~"costlab_.+"}'):
        labels = series["metric"]
        name = labels.pop("__name__")
        assert labels.pop("job") == "exporter"
        del labels["instance"]
        found[name, frozenset(labels.items())] = float(series["value"][1])
    assert found == {
        (sample.metric.name, frozenset(sample.labels.items())): float(sample.value) for sample in samples
    }


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_panel_has_an_answer(url: str, expression: str) -> None:
    for chosen in (".*", "demo", "demo|other"):
        assert asked(url, expression.replace("$cluster", chosen))
    assert "$" not in expression.replace("$cluster", "")
    assert asked(url, expression.replace("$cluster", "other")) == []


def test_the_dashboard_shows_every_metric_and_no_other() -> None:
    named = {name for text in EXPRESSIONS for name in re.findall(r"\bcostlab_\w+", text)}
    assert named == {metric.name for metric in METRICS}
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    covered = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(covered) == len({*covered}), "panels lie over each other"
    assert max(x for x, _ in covered) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)
    assert all(panel["title"] and panel["description"] for panel in DASHBOARD["panels"])
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:  # else series of different labels would have one name
            told = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            by = re.search(r"by \(([\w, ]+)\)", target["expr"])
            assert told == (set(by[1].split(", ")) if by else {"cluster"}), panel["title"]
