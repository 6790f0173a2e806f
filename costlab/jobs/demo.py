"""The whole main job on the embedded synthetic cluster: no network, no configuration."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from costlab.config.settings import Settings
from costlab.domain.dates import whole_weeks
from costlab.jobs.facts import observe_day
from costlab.jobs.measure import settle_day
from costlab.jobs.quotas.suggest import suggest_day
from costlab.jobs.rightsizing.recommend import recommend_day
from costlab.jobs.site import write_reports
from costlab.sources.synthetic import SyntheticCluster, SyntheticSource
from costlab.store.lake import Lake

CLUSTER = "demo"


def demo(folder: Path, *, days: int, say: Callable[[str], None]) -> Path:
    """Measure the synthetic cluster's last `days` days into `folder/lake`; the path of the last day's report.

    Beside it is the edition of the last week that was measured as a whole.
    """
    settings = Settings.model_validate(
        {
            "lake": "lake",
            "report": {"out": "reports"},
            "prices": {"fees": [{"name": "control plane", "hourly": 0.10}]},
        },
        context={"folder": folder},
    )
    story = SyntheticCluster(days=days)
    lake = Lake.create(settings.lake)
    with lake.locked(), ThreadPoolExecutor(1) as ahead:
        # The next days are observed while one is charged and committed: a second core takes a fifth of the time off.
        observed = [
            ahead.submit(observe_day, SyntheticSource(story), settings, CLUSTER, day) for day in story.days
        ]
        try:
            for day, facts in zip(story.days, observed, strict=True):
                say(settle_day(facts.result(), lake, settings, CLUSTER, day).line)
        finally:
            ahead.shutdown(cancel_futures=True)
        recommend_day(lake, settings, CLUSTER, story.days[-1])
        suggest_day(lake, settings, CLUSTER, story.days[-1])
        # The last week that is over and whole has an edition, as a night would leave it; another takes 0.7 s.
        editions = [(CLUSTER, week) for week in whole_weeks([day.date for day in story.days])[-1:]]
        list(write_reports(lake, settings, [(CLUSTER, story.days[-1])], settings.report.out, editions))
    return settings.report.out / CLUSTER / "latest" / "index.html"
