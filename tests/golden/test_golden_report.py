"""The report of the made-up world, as it was last looked at and found good. COSTLAB_GOLDEN=renew writes it anew."""

import os
import re
from pathlib import Path

import pytest
from answers import edition, files

from costlab import shipped

SAMPLES = shipped.folder("reports/templates").parent / "samples"


@pytest.mark.parametrize("name", ["index.html", "report.md", "teams.csv"])
def test_the_report_is_as_it_was_looked_at(name: str) -> None:
    sample = SAMPLES / f"daily-{name}"
    if os.environ.get("COSTLAB_GOLDEN") == "renew":
        sample.write_bytes(files()[name])
    assert files()[name] == sample.read_bytes()


@pytest.mark.parametrize("suffix", ["html", "json"])
@pytest.mark.parametrize(("kind", "name"), [("weekly", "2026-W47"), ("monthly", "2026-10")])
def test_the_edition_is_as_it_was_looked_at(kind: str, name: str, suffix: str) -> None:
    sample, content = SAMPLES / f"{kind}.{suffix}", edition(name)[suffix]
    if os.environ.get("COSTLAB_GOLDEN") == "renew":
        sample.write_bytes(content)
    assert content == sample.read_bytes()


def test_a_second_run_gives_the_same_bytes() -> None:
    first = files()
    files.cache_clear()
    assert files() == first


def test_a_sample_holds_nothing_of_the_machine_that_made_it() -> None:
    here = re.escape(str(Path(__file__).parents[2])).encode()
    for sample in SAMPLES.iterdir():
        found = re.search(rb"/home/|/tmp/|localhost|127\.0\.0\.1|" + here, sample.read_bytes())
        assert not found, sample.name
