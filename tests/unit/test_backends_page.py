"""What docs/backends.md tells people to write is a configuration, and each product on it is one that is told apart."""

import re
from pathlib import Path

import pytest

from costlab.config.load import load
from costlab.config.servers import WAYS_IN
from costlab.sources.prometheus.flavour import Flavour
from costlab.sources.prometheus.refusals import read_refusal

PAGE = (Path(__file__).resolve().parents[2] / "docs/backends.md").read_text()
SNIPPETS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda text: re.search(r"url: \S+//([^/\s]+)", text)[1])  # type: ignore[index]
def test_what_it_says_to_write_is_taken(tmp_path: Path, snippet: str) -> None:
    path = tmp_path / "costlab.yaml"
    path.write_text(snippet)
    (cluster,) = load(path, {}).clusters
    assert cluster.prometheus.url.startswith("http")


def test_every_setting_of_the_way_in_is_shown_on_it() -> None:
    shown = set(re.findall(r"^ +(\w+):", "".join(SNIPPETS), re.MULTILINE))
    certificates = {"ca_file", "client_cert", "client_key"}
    assert {"url", "matchers", "replica_labels", "headers", *WAYS_IN, *certificates} <= shown
    assert "engine: remote-read" in PAGE
    assert "max_in_flight: 1" in PAGE


def test_every_product_has_its_part() -> None:
    titles = "".join(re.findall(r"^## .*$", PAGE, re.MULTILINE))
    assert {flavour for flavour in Flavour if flavour.value not in titles} == {Flavour.UNKNOWN}


def test_flags_that_it_names_are_those_that_refusals_name() -> None:
    named = set(re.findall(r"`(--store[\w.-]+|-search\.max\w+)`", PAGE))
    assert named
    words = (
        "exceeded series limit",
        "number of matching timeseries exceeds",
        "cannot select more than -search.maxSamplesPerQuery",
    )
    hints = "".join(word + read_refusal(422, "", word).hint for word in words)
    assert {flag for flag in named if flag not in hints} == set()
