"""costlab's night as an Airflow 3 DAG: put it into the folder of DAGs of workers that have costlab and its lake's disk.

A scheduled run measures the day before its logical date, so that a backfill measures its own days; a run that somebody
triggers without one measures every day that is missing. Nothing of costlab is imported here.
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
        """Run costlab; its exit code says whether to try again."""
        code = subprocess.run(command(logical_date), check=False).returncode  # noqa: S603 - a fixed command
        if code in FINAL_CODES:
            raise AirflowFailException(f"costlab ended with {code}; trying again would not help")
        if code:
            raise AirflowException(f"costlab ended with {code}")

    nightly()


costlab_nightly()
