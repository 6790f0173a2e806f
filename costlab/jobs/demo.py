"""The whole main job on the embedded synthetic cluster: no network, no configuration."""

from collections.abc import Callable
from pathlib import Path

from costlab.config.settings import Settings
from costlab.jobs.measure import measure_day
from costlab.jobs.report import write_report
from costlab.sources.synthetic import SyntheticCluster, SyntheticSource
from costlab.store.lake import Lake

CLUSTER = "demo"


def demo(folder: Path, *, days: int, say: Callable[[str], None]) -> Path:
    """Measure the synthetic cluster's last `days` days into `folder/lake`; the path of the last day's report."""
    settings = Settings.model_validate(
        {"lake": "lake", "report": {"out": "reports"}}, context={"folder": folder}
    )
    story = SyntheticCluster(days=days)
    lake = Lake.create(settings.lake)
    with lake.locked():
        for day in story.days:
            say(measure_day(SyntheticSource(story), lake, settings, CLUSTER, day).line)
        write_report(lake, settings, CLUSTER, story.days[-1], settings.report.out)
    return settings.report.out / CLUSTER / "latest" / "index.html"
