"""Whether every file of the lake is as it was written: all of them are read."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from costlab.config.settings import Settings
from costlab.domain.errors import CostlabError
from costlab.jobs.doctor.check import Check, Status
from costlab.render import figures
from costlab.store.inspection import Damage, Inspection, Kind, inspect
from costlab.store.lake import Lake
from costlab.store.torn import Torn

_RESTORE = "bring the lake back elsewhere with costlab restore, from before it was damaged"


def lake_files(settings: Settings) -> list[Check]:
    """Each damage with its mend; a line that says what was read."""
    try:
        lake = Lake.open(settings.lake, settings.timezone)
        torn: list[Torn] = []
        with lake.locked(older=True, heed=torn.extend):
            found = _without(inspect(lake), {each.table for each in torn})
    except CostlabError as fault:
        return [Check(Status.FAIL, "lake", fault.message, fault.hint)]
    return [*_torn(torn), *_damages(found), *_loose(found), _read(found, torn)]


def _without(found: Inspection, torn: Container[str]) -> Inspection:
    """What was found, but for the tables of which it is said already why they cannot be read."""
    others = [each for each in found.damages if each.kind is not Kind.TABLE or each.table not in torn]
    return replace(found, damages=tuple(others))


def _torn(torn: Sequence[Torn]) -> Iterator[Check]:
    for each in torn:
        yield Check(Status.FAIL, each.table, each.fault.message, each.fault.hint)


def _damages(found: Inspection) -> Iterator[Check]:
    for damage in found.damages:
        if damage.kind is Kind.CHECKPOINT:
            text = f"{damage.text} is damaged, a checkpoint of a log whose entries are whole"
            yield Check(Status.FAIL, damage.table, text, "delete that file: nothing in it is needed")
        elif damage.where is None:
            yield Check(Status.FAIL, damage.table, damage.text, _RESTORE)
    days = sorted((d for d in found.damages if d.where is not None), key=_place)
    for (cluster, day, kind), faults in groupby(days, key=_place):
        text = "; ".join(f"{fault.table} {fault.text}" for fault in faults)
        measure = f"costlab nightly --date {day}"
        if kind == Kind.UNFINISHED:
            yield Check(Status.WARN, f"{cluster} {day}", f"no reader sees it: {text}", f"{measure} ends it")
        else:
            mend = f"{measure} --force damaged, while Prometheus has the day; else {_RESTORE}"
            yield Check(Status.FAIL, f"{cluster} {day}", text, mend)


def _place(damage: Damage) -> tuple[str, str, str]:
    cluster, day = damage.where or ("", "")
    return cluster, str(day), damage.kind


def _loose(found: Inspection) -> Iterator[Check]:
    if found.loose:
        size_bytes = sum(path.stat().st_size for path in found.loose)
        text = (
            f"{figures.counted(len(found.loose), 'file')} that no table lists, {size_bytes / 2**20:,.1f} MiB"
        )
        yield Check(Status.OK, "loose files", f"{text}: costlab prune deletes what is three days old")


def _read(found: Inspection, torn: Sequence[Torn]) -> Check:
    bad = len({damage.where for damage in found.damages})
    text = f"{figures.counted(found.days, 'day')}, {figures.counted(found.files, 'file')}, {found.size_bytes / 2**20:,.1f} MiB were read"
    if bad or torn:
        mend = _RESTORE if bad else torn[0].fault.hint
        return Check(Status.FAIL, "lake", f"{text}; what is damaged is named above", mend)
    return Check(Status.OK, "lake", f"{text}: all as they were written")
