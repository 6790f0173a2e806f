"""The weekly and monthly editions that lie in a cluster's folder: written by name, made anew when a day changed, cleared."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path

import orjson

from costlab.config.settings import Settings
from costlab.domain.dates import Dates, month_of, named_window, week_of
from costlab.domain.errors import ConfigError
from costlab.domain.time import Day
from costlab.jobs.edition import made_of, render_edition
from costlab.publish.files import put, take_away
from costlab.store.lake import READABLE, DayState, Lake
from costlab.store.warehouse import Warehouse

# How long an edition waits for its last day: nights look for missing days as far back.
WAIT_DAYS = 7

_SUFFIXES = ("html", "json")  # what says that an edition is made comes last


class Folder(StrEnum):
    """Where editions of a kind lie, beside the days."""

    WEEK = "week"
    MONTH = "month"


def edition_window(window: Dates, today: date) -> Dates:
    """The window; raises ConfigError when it is no week or month, or not over."""
    if window.name is None:
        raise ConfigError(
            f"{window.start}..{window.end} is neither a week nor a month",
            "an edition is of 2026-W47, 2026-11, last-week or last-month; costlab cost answers for any window",
        )
    if window.end > today:
        raise ConfigError(
            f"{window.name} is not over: its last day is {window.end - timedelta(days=1)}",
            "the report of a day tells of the month so far; costlab cost --window answers for any days",
        )
    return window


def address(window: Dates) -> str:
    """Where the edition of a week or month lies in its cluster's folder: week/2026-W47.html."""
    return f"{folder_of(window)}/{window.name}.html"


def folder_of(window: Dates) -> Folder:
    """The folder of a week's or a month's edition."""
    return Folder.MONTH if window == month_of(window.start) else Folder.WEEK


def editions_in(out: Path, cluster: str) -> list[Dates]:
    """The weeks and months of which there is an edition to read, the oldest of each first."""
    found = []
    for folder in Folder:
        home = out / cluster / folder
        names = sorted(entry.stem for entry in home.glob("*.html")) if home.is_dir() else []
        windows = [window for name in names if (window := named_window(name))]
        found += [window for window in windows if folder_of(window) is folder]
    return found


def write_edition(
    warehouse: Warehouse,
    settings: Settings,
    cluster: str,
    window: Dates,
    out: Path,
    newest: Dates | None = None,
) -> list[Path]:
    """The files of an edition, as `put_edition` leaves them; a second run on the same lake changes no byte.

    newest: the last one of its kind of those being written. Raises what `render_edition` and `put_edition` do.
    """
    return put_edition(render_edition(warehouse, settings, cluster, window), cluster, window, out, newest)


@dataclass(frozen=True, slots=True)
class AskedEdition:
    """A question to a lake: the content of the edition of a week or a month, by suffix."""

    window: Dates

    @property
    def __name__(self) -> str:
        return f"edition {self.window.name}"

    def __call__(self, lake: Lake, settings: Settings, cluster: str, _: Day) -> dict[str, bytes]:
        """The edition's. Raises what `render_edition` does."""
        return render_edition(Warehouse.over(lake), settings, cluster, self.window)


def put_edition(
    content: Mapping[str, bytes], cluster: str, window: Dates, out: Path, newest: Dates | None = None
) -> list[Path]:
    """An edition in `out/<cluster>/week/` or `month/`, and as `latest` when no later one is there; each file as a whole.

    content: by suffix. newest: the last one of its kind of those being written. Raises ConfigError when a file cannot be
    written.
    """
    home = out / cluster / folder_of(window)
    others = [other for other in editions_in(out, cluster) if folder_of(other) is folder_of(window)]
    later = any(other > window for other in (*others, *([newest] if newest else [])))
    names = [str(window.name)] if later else ["latest", str(window.name)]
    written = [put(home / f"{name}.{suffix}", content[suffix]) for name in names for suffix in _SUFFIXES]
    return written[-len(_SUFFIXES) :] + written[: -len(_SUFFIXES)]


def due_editions(
    warehouse: Warehouse,
    days: Mapping[date, DayState],
    cluster: str,
    out: Path,
    *,
    today: date,
    kept_since: date,
    fresh: Iterable[date] = (),
) -> list[Dates]:
    """The editions to write: the last two weeks and the last month, those of fresh days, and any that rests on other days than the lake has.

    days: the cluster's. An edition is for when its period is over and its last day is in the lake, or was waited for; one
    of whose days the charges were pruned stays as it is.
    """
    # Two weeks: one whose last day never came is then no longer the last.
    wanted = {week_of(today - timedelta(days=ago)) for ago in (7, 14)}
    wanted |= {month_of(today).before, *editions_in(out, cluster)}
    wanted |= {window for day in fresh for window in (week_of(day), month_of(day))}
    return [
        window
        for window in sorted(wanted, key=lambda window: (window.end, window.start))
        if kept_since < window.end <= today
        and _ready(days, window, today)
        and _told(out, cluster, window) != made_of(warehouse, cluster, window)
    ]


def clear_editions(out: Path, cluster: str, before: date) -> list[str]:
    """Remove the editions whose last day is before that day, and nothing else; their names, the oldest of each kind first.

    `latest` stays. Raises ConfigError when one cannot be removed.
    """
    return [
        str(window.name)
        for window in editions_in(out, cluster)
        if window.end <= before
        and take_away(out / cluster / folder_of(window), [f"{window.name}.{suffix}" for suffix in _SUFFIXES])
    ]


def closed_editions(days: Collection[date], today: date, kept_since: date) -> Iterator[Dates]:
    """The weeks and months of these days that are over and kept, the latest last of each kind."""
    for of in (week_of, month_of):
        for window in sorted({of(day) for day in days}):
            if kept_since < window.end <= today:
                yield window


def _ready(days: Mapping[date, DayState], window: Dates, today: date) -> bool:
    states = {day: state for day, state in days.items() if window.before.start <= day < window.end}
    if DayState.PRUNED in states.values():
        return False
    held = {day for day, state in states.items() if state in READABLE and day >= window.start}
    last = window.end - timedelta(days=1)
    return last in held or (bool(held) and today - window.end >= timedelta(days=WAIT_DAYS))


def _told(out: Path, cluster: str, window: Dates) -> dict[str, str] | None:
    """What the edition that is there rests on; None where there is none, or not all of it."""
    page = out / cluster / address(window)
    try:
        told = orjson.loads(page.with_suffix(".json").read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None  # it is written anew, and what keeps it from being read is said then
    made = told.get("made_of") if isinstance(told, dict) and page.is_file() else None
    return made if isinstance(made, dict) else None
