"""A configured costlab for tests: settings in a folder of their own, and sources by URL."""

from pathlib import Path
from typing import Any

from filelock import FileLock

from costlab.config.settings import Settings
from costlab.jobs.measure import measure_day
from costlab.sources.synthetic import SyntheticCluster, SyntheticSource
from costlab.store.lake import Lake

CLUSTER = "test"


def settings_in(
    folder: Path, url: str = "http://127.0.0.1:9", settle: str = "1h", **sections: Any
) -> Settings:
    """Settings with one cluster, whose lake and reports lie in the folder."""
    content = {
        "lake": "lake",
        "report": {"out": "reports"},
        "clusters": [{"id": CLUSTER, "prometheus": {"url": url, "timeout": 60.0, "settle": settle}}],
        **sections,
    }
    return Settings.model_validate(content, context={"folder": folder})


def last_day_measured(cluster: SyntheticCluster, shared_folder: Path) -> Path:
    """A folder whose lake holds the cluster's last day, measured once for all processes: it is copied, and never written."""
    folder, made = shared_folder / "one-day", shared_folder / "one-day.part"
    with FileLock(shared_folder / "one-day.lock"):
        if not folder.exists():
            settings = settings_in(made)
            lake = Lake.create(settings.lake)
            measure_day(SyntheticSource(cluster), lake, settings, CLUSTER, cluster.days[-1])
            made.rename(folder)
    return folder
