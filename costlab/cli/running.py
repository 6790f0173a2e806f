"""Commands of the main job: nightly, and its steps extract, compute, report."""

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from costlab.cli.frame import Desk
from costlab.cli.lines import json_line
from costlab.cli.notifying import postman_of
from costlab.cli.options import ClusterId, DateText, Engine, Reason
from costlab.cli.question import demand_known
from costlab.domain.errors import ConfigError, ExitCode

if TYPE_CHECKING:  # requests and DuckDB wait until a job runs
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from costlab.cli.logs import Voice
    from costlab.config.settings import Cluster, Settings
    from costlab.domain.dates import Dates
    from costlab.domain.time import Day
    from costlab.jobs.dask_crew import DaskCrew
    from costlab.jobs.due import Asked
    from costlab.jobs.outcome import Outcome
    from costlab.sources import Source
    from costlab.store.lake import Lake

_LEVELS = {ExitCode.DONE: "info", ExitCode.INCOMPLETE: "warning"}


def nightly(
    ctx: typer.Context,
    date: Annotated[
        str | None, typer.Option("--date", metavar="DATE", help="This day only, even if it is complete.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="DATE", help="Every missing day since.")
    ] = None,
    force: Reason = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say which days are due; read and write nothing.")
    ] = False,
    no_notify: Annotated[bool, typer.Option("--no-notify", help="Post nothing.")] = False,
    engine: Engine = None,
) -> None:
    """Catch up the days that are missing: extract, compute, report, post. Made for cron: see the exit codes."""
    from costlab.cli.logs import voice
    from costlab.jobs.due import Asked
    from costlab.jobs.indexing import Indexer
    from costlab.jobs.nightly import nightly as job
    from costlab.jobs.telling import told as watched

    if date and since:
        raise ConfigError("--date and --since exclude each other", "leave one of them out")
    desk: Desk = ctx.obj
    settings = desk.settings()
    settings.chosen()
    day, first = (None if text is None else _day(text, desk, settings) for text in (date, since))
    asked = Asked(day, first, force)
    if dry_run:
        _say_due(settings, asked, desk)
        return
    began_s = monotonic()
    with voice(desk) as told, _crew(engine, told) as crew:
        night = partial(
            job,
            settings,
            asked,
            now=desk.now,
            source_of=_sources(settings, told.step),
            crew=crew,
            say=told.say,
            warn=told.warn,
            fail=told.fail,
            step=told.step,
            posts=None if no_notify else postman_of(settings, desk, sends=True).posts,
            index=Indexer(settings.elasticsearch, desk.environ).index if settings.elasticsearch else None,
        )
        outcome = watched(
            lambda ended: night(ended=ended),
            settings,
            now=desk.now,
            elapsed_s=lambda: monotonic() - began_s,
            say=told.warn,  # what hinders the metrics
        )
    _end([outcome], desk)


def extract(
    ctx: typer.Context, date: DateText = "yesterday", cluster: ClusterId = None, force: Reason = None
) -> None:
    """Read a day out of Prometheus into the lake; `costlab compute` then charges it."""
    from costlab.cli.logs import voice
    from costlab.domain.time import milliseconds
    from costlab.jobs.measure import extract_day, refuse_open
    from costlab.store.place import workshop
    from costlab.store.spool import sweep

    desk: Desk = ctx.obj
    settings, day, lake = _work(desk, date)
    now_ms = milliseconds(desk.now)
    for chosen in settings.chosen(cluster):
        refuse_open(day, settings, chosen, now_ms)

    def outcomes(step: "Callable[[str], None]") -> "Iterator[Outcome]":
        for chosen in settings.chosen(cluster):
            source = _sources(settings, step)(chosen, day)
            refuse_open(day, settings, chosen, now_ms, source.ahead_s())
            yield extract_day(source, lake, settings, chosen.id, day, force=force, step=step)

    with lake.locked(), voice(desk) as told:
        sweep(workshop(lake.path), now_ms)
        _end(outcomes(told.step), desk)


def compute(
    ctx: typer.Context,
    date: Annotated[
        str | None,
        typer.Option(
            "--date", metavar="DATE", help="yesterday, today, -2d or 2026-11-22.", show_default="yesterday"
        ),
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(
            "--window", metavar="W", help="Every day of it that is in the lake: 7d, 2026-11, FROM..TO."
        ),
    ] = None,
    cluster: ClusterId = None,
    engine: Engine = None,
) -> None:
    """Charge a day that was extracted, or those of a window, with today's prices, bills and owners."""
    from costlab.cli.logs import voice
    from costlab.domain.dates import parse_window
    from costlab.jobs.recompute import compute_days, days_held

    desk: Desk = ctx.obj
    if date and window:
        raise ConfigError("--date and --window exclude each other", "--window takes a date too")
    settings, day, lake = _work(desk, date or "yesterday")
    chosen = [each.id for each in settings.chosen(cluster)]
    dates = parse_window(window, desk.now, lake.timezone) if window else None
    with lake.locked(), voice(desk) as told, _crew(engine, told) as crew:
        days = days_held(lake, chosen, dates) if dates else [(each, day) for each in chosen]
        _end(compute_days(lake, settings, days, crew), desk)


def report(
    ctx: typer.Context,
    date: Annotated[
        str | None,
        typer.Option(
            "--date", metavar="DATE", help="yesterday, today, -2d or 2026-11-22.", show_default="yesterday"
        ),
    ] = None,
    every: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Every day, week and month that the lake holds and report.keep keeps; also those that no night wrote.",
        ),
    ] = False,
    window: Annotated[
        str | None,
        typer.Option(
            "--window",
            metavar="W",
            help="The edition of a week or month: last-week, 2026-W47, last-month, 2026-11.",
        ),
    ] = None,
    cluster: ClusterId = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="Write into this folder in place of report.out."),
    ] = None,
) -> None:
    """Write the day's report (HTML, Markdown, JSON, CSV), or the edition of a week or month; and the pages that lead to it."""
    from costlab.domain.dates import parse_day
    from costlab.domain.time import day_of
    from costlab.jobs.processors import processors
    from costlab.jobs.site import days_kept, editions_kept, write_reports
    from costlab.store.lake import Lake

    if sum(map(bool, (date, every, window))) > 1:
        raise ConfigError("--date, --window and --all exclude each other", "leave all but one of them out")
    desk: Desk = ctx.obj
    settings = desk.settings()
    lake = Lake.open(settings.lake)
    demand_known(cluster, lake, settings)
    ids = [cluster] if cluster else [chosen.id for chosen in settings.clusters]
    ids = ids or lake.clusters()
    if not ids:
        settings.chosen()
    folder = out or settings.report.out
    editions: list[tuple[str, Dates]] = []
    if window:
        days, editions = [], _editions(window, ids, desk, lake)
    elif every:
        days = days_kept(lake, settings, ids, desk.now)
        editions = editions_kept(days, settings, day_of(desk.now, lake.timezone).date)
    else:
        day = parse_day(date or "yesterday", desk.now, lake.timezone)
        days = [(name, day) for name in ids]
    for page in write_reports(lake, settings, days, folder, editions, processes=processors()):
        typer.echo(page)
    if every:
        typer.echo(folder / "index.html")


def _editions(window: str, ids: "Sequence[str]", desk: Desk, lake: "Lake") -> "list[tuple[str, Dates]]":
    """The edition that a window names, of each cluster; raises ConfigError where it is of none."""
    from costlab.domain.dates import parse_window
    from costlab.domain.time import day_of
    from costlab.jobs.editions import edition_window

    dates = parse_window(window, desk.now, lake.timezone)
    edition_window(dates, day_of(desk.now, lake.timezone).date)
    return [(name, dates) for name in ids]


def _work(desk: Desk, date: str) -> "tuple[Settings, Day, Lake]":
    from costlab.store.lake import Lake

    settings = desk.settings()
    settings.chosen()
    day = _day(date, desk, settings)
    return settings, day, Lake.create(settings.lake, settings.timezone)


def _day(text: str, desk: Desk, settings: "Settings") -> "Day":
    """The day that a text names; raises ConfigError, also for one that the calendar left out."""
    from costlab.domain.dates import parse_day

    day = parse_day(text, desk.now, settings.timezone)
    if not day.window.duration_ms:  # Samoa had no 30 December 2011
        raise ConfigError(
            f"{day} has no hours: the clocks of {settings.timezone} went over it", "name another day"
        )
    return day


def _sources(settings: "Settings", step: "Callable[[str], None]") -> "Callable[[Cluster, Day], Source]":
    """How a day's samples are read: out of the cluster's Prometheus, entered anew for each, by way of the spool."""
    from costlab.jobs.fetch import spooled
    from costlab.store.memory import keep_little
    from costlab.store.place import located, workshop

    keep_little()
    folder = workshop(located(settings.lake))

    def source_of(cluster: "Cluster", day: "Day") -> "Source":
        return spooled(settings, cluster, day, folder, step)

    return source_of


def _crew(engine: str | None, told: "Voice") -> "AbstractContextManager[DaskCrew | None]":
    """The workers that --engine names, None without it. Raises what `dask_crew` does."""
    if engine is None:
        return nullcontext()
    from costlab.jobs.dask_crew import dask_crew

    return dask_crew(engine, say=told.say, step=told.step)


def _say_due(settings: "Settings", asked: "Asked", desk: Desk) -> None:
    from costlab.domain.time import instant, milliseconds
    from costlab.jobs.due import due, late, unreported
    from costlab.jobs.measure import closes_ms
    from costlab.store.lake import Lake

    def said(day: "Day", cluster: "Cluster") -> str:
        closed_ms = closes_ms(day, settings, cluster)
        too_early = milliseconds(desk.now) < closed_ms
        return f"{day} (not before {instant(closed_ms):%Y-%m-%d %H:%M} UTC)" if too_early else str(day)

    with TemporaryDirectory() as empty:  # stands in for a lake that the first night would make
        there = Lake.exists(settings.lake)
        lake = (
            Lake.open(settings.lake, settings.timezone)
            if there
            else Lake.create(Path(empty), settings.timezone)
        )
        for cluster in settings.chosen():
            days = [said(day, cluster) for day in due(lake, settings, cluster.id, asked, desk.now)]
            again = late(lake, settings, cluster.id, asked, desk.now)
            days += [f"{day} (again: it is incomplete)" for day in again]
            days += [
                f"{day} (only its report)"
                for day in unreported(lake, settings, cluster.id, asked, desk.now)
                if day not in again
            ]
            typer.echo(f"{cluster.id}: {', '.join(sorted(days)) or 'nothing is due'}")


def _end(outcomes: "Iterable[Outcome]", desk: Desk) -> None:
    """Say every outcome as soon as it is there, and end with the gravest code."""
    code = ExitCode.DONE
    for outcome in outcomes:
        told = {"process.exit_code": int(outcome.exit_code)}
        level = _LEVELS.get(outcome.exit_code, "error")
        typer.echo(json_line(level, outcome.line, **told) if desk.json_logs else outcome.line)
        code = max(code, outcome.exit_code)
    if code:
        raise typer.Exit(code)
