"""costlab's night and its weekly prune as DAGs of Airflow 3, for workers that have costlab and its lake's disk.

A scheduled run measures the day before its logical date, so that a backfill measures its own days; a run that somebody
triggers without one measures every day that is missing. A prune goes by today whenever it runs. Nothing of costlab is
imported here.
"""

import subprocess
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from airflow.sdk import CronTriggerTimetable, dag, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException

COSTLAB = ["/opt/costlab/bin/costlab", "--config", "/etc/costlab/costlab.yaml"]
TIMEZONE = "UTC"  # the lake's
# Trying again mends nothing: configuration, a day below the threshold, a damaged lake, money that does not reconcile,
# a check that failed. Other codes are tried again: a source that failed (3), a lock that is held (5).
FINAL_CODES = {2, 4, 6, 7, 8}


def command(logical_date: datetime | None) -> list[str]:
    """What the run starts."""
    if logical_date is None:
        return [*COSTLAB, "nightly"]
    day = logical_date.astimezone(ZoneInfo(TIMEZONE)).date() - timedelta(days=1)
    return [*COSTLAB, "nightly", "--date", day.isoformat()]


def run(words: list[str]) -> None:
    """Run costlab; its exit code says whether to try again."""
    code = subprocess.run(words, check=False).returncode  # noqa: S603 - a fixed command
    if code in FINAL_CODES:
        raise AirflowFailException(f"costlab ended with {code}; trying again would not help")
    if code:
        raise AirflowException(f"costlab ended with {code}")


@dag(
    dag_id="costlab_nightly",
    # An hour and a half after midnight: later than prometheus.settle. The timetable is named, for with
    # `[scheduler] create_cron_data_intervals` a bare text would have the logical date of the night before.
    schedule=CronTriggerTimetable("30 1 * * *", timezone=TIMEZONE),
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo(TIMEZONE)),
    catchup=False,
    max_active_runs=1,  # one run at a time holds the lake
    tags=["costlab"],
)
def costlab_nightly() -> None:
    """One task: the night."""

    @task(retries=3, retry_delay=timedelta(minutes=20), execution_timeout=timedelta(hours=6))
    def nightly(logical_date: datetime | None = None) -> None:
        """Measure, advise, report and post."""
        run(command(logical_date))

    nightly()


costlab_nightly()


@dag(
    dag_id="costlab_prune",
    schedule=CronTriggerTimetable("0 8 * * 0", timezone=TIMEZONE),  # when the longest night has ended
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo(TIMEZONE)),
    catchup=False,
    max_active_runs=1,
    tags=["costlab"],
)
def costlab_prune() -> None:
    """One task: what is older than `retention` goes."""

    @task(retries=3, retry_delay=timedelta(minutes=20), execution_timeout=timedelta(hours=2))
    def prune() -> None:
        """Delete it."""
        run([*COSTLAB, "prune"])

    prune()


costlab_prune()
