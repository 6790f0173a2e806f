"""A day has the same content whatever the processors, threads, hashes, host's zone and order of series."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MEASURE = """
import json, os, random, sys
from pathlib import Path

order, processors, folder = sys.argv[1:]
if processors == "one":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

from costlab.config.settings import Settings
from costlab.domain.signals import join_series
from costlab.jobs.measure import compute_day, extract_day, measure_day
from costlab.sources.synthetic import SyntheticCluster, SyntheticSource
from costlab.store.lake import Lake


class Shuffled(SyntheticSource):
    def fetch(self, signal, window):
        series = super().fetch(signal, window)
        parts = [
            (labels, series.at_ms[low:high], series.values[low:high])
            for labels, low, high in zip(series.labels, series.offsets, series.offsets[1:])
        ]
        random.Random(int(order)).shuffle(parts)
        return join_series(signal, parts)


story = SyntheticCluster(days=1)
settings = Settings.model_validate({"lake": "lake"}, context={"folder": Path(folder)})
lake = Lake.create(settings.lake)
source = SyntheticSource(story) if order == "0" else Shuffled(story)
with lake.locked():
    if order == "0":
        measure_day(source, lake, settings, "demo", story.days[0])
    else:
        extract_day(source, lake, settings, "demo", story.days[0])
        compute_day(lake, settings, "demo", story.days[0])
print(json.dumps(lake.run("demo", story.days[0])["content"], sort_keys=True))
"""
# The order of series (0: as they come, measured at once; else shuffled, extracted and then computed), and the host.
HOSTS = [
    ("0", "all", {"PYTHONHASHSEED": "0", "TZ": "UTC"}),
    ("0", "one", {"PYTHONHASHSEED": "1", "TZ": "Pacific/Kiritimati", "NUMBA_NUM_THREADS": "1"}),
    ("3", "all", {"PYTHONHASHSEED": "2", "TZ": "America/St_Johns", "NUMBA_NUM_THREADS": "2"}),
]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processors cannot be taken away here")
def test_a_day_is_the_same_to_the_byte(tmp_path: Path) -> None:
    contents = []
    for number, (order, processors, environment) in enumerate(HOSTS):
        folder = tmp_path / str(number)
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, order, processors, str(folder)],
            env={**os.environ, **environment}, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        contents.append(json.loads(done.stdout))
    assert contents[0] == contents[1]
    assert contents[0] == contents[2]
    assert contents[0].keys() >= {"charges", "profiles"}
