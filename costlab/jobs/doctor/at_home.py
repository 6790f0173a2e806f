"""What can be looked at without asking anybody: configuration, prices, destinations, lake."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryFile

from costlab.config.book import Validity
from costlab.config.settings import Settings
from costlab.domain.errors import ConfigError, CostlabError
from costlab.domain.time import milliseconds
from costlab.domain.units import GIB
from costlab.jobs.doctor.check import Check, Status
from costlab.publish.destined import destined
from costlab.publish.elasticsearch import authorization
from costlab.store.durable import refuse_unwritable
from costlab.store.lake import DayState, Lake, refuse_headless
from costlab.store.opened import Key
from costlab.store.place import BucketPath, located, workshop
from costlab.store.torn import Torn, torn_entries


def configuration(settings: Settings) -> Iterator[Check]:
    """Whether there is one, with clusters."""
    try:
        clusters = settings.chosen()
    except ConfigError as fault:
        yield Check(Status.FAIL, "configuration", fault.message, fault.hint)
    else:
        named = ", ".join(cluster.id for cluster in clusters)
        yield Check(Status.OK, "configuration", f"{settings.file}, clusters: {named}")


def prices(settings: Settings, now: datetime) -> Iterator[Check]:
    """Prices that are not there, and rules of the price book that do not hold today."""
    rates, book = settings.prices, settings.book
    gpu = "" if rates.gpu_hour is None else f"GPU {rates.gpu_hour:g}, "
    yield Check(
        Status.OK,
        "prices",
        f"{rates.currency} an hour: {gpu}CPU core {rates.cpu_core_hour:g}, GiB of memory {rates.memory_gib_hour:g}; "
        f"price book: {len(book.nodes)} rules for nodes, {len(book.gpu_models)} models of GPU",
    )
    if rates.gpu_hour is None and not book.gpu_models:
        mend = "set prices.gpu_hour, or gpu_models in the price book"
        yield Check(Status.WARN, "GPU prices", "GPUs have no price", mend)
    now_ms = milliseconds(now)
    chosen: dict[object, list[tuple[str, Validity]]] = defaultdict(list)
    for number, rule in enumerate(book.nodes):
        chosen[frozenset(rule.match.items()), rule.capacity_type].append((f"nodes[{number}]", rule))
    for model in book.gpu_models:
        chosen[model] = [(f"gpu_models: {model}", price) for price in book.model_prices(model)[1]]
    for rules in chosen.values():
        if any(rule.holds(now_ms, settings.timezone) for _, rule in rules):
            continue
        # Between rules of the same nodes there is no gap: the price book would have been refused.
        spans = [(*rule.span_ms(settings.timezone), name, rule) for name, rule in rules]
        begins, _, first, earliest = min(spans, key=lambda span: span[0])
        if begins > now_ms:
            text = f"{first} begins on {earliest.valid_from}; the default rates count until then"
            yield Check(Status.WARN, "price book", text, "add the rule before it, if its nodes run already")
        else:
            _, _, last, latest = max(spans, key=lambda span: span[1])
            text = f"{last} ended on {latest.valid_to}; the default rates count since"
            yield Check(Status.WARN, "price book", text, "add the rule that follows it")


def destinations(settings: Settings, environ: Mapping[str, str]) -> Iterator[Check]:
    """Whether each address can be read, and is one; nothing is sent, and the address is not shown."""
    if not settings.notify:
        yield Check(Status.OK, "notify", "no destination is named: nothing is sent")
    for number, destination in enumerate(settings.notify):
        subject = f"notify[{number}]"
        try:
            address = destined(destination, environ, subject)
        except ConfigError as fault:
            yield Check(Status.WARN, subject, f"{destination.known_as}: {fault.message}", fault.hint)
            continue
        text = f"{destination.known_as}: {address.shown} is named; nothing was sent"
        yield Check(Status.OK, subject, text)


def indices(settings: Settings, environ: Mapping[str, str]) -> Iterator[Check]:
    """Whether the key of Elasticsearch can be read; nothing is asked of it."""
    if settings.elasticsearch is None:
        return
    try:
        authorization(settings.elasticsearch, environ)
    except ConfigError as fault:
        yield Check(Status.WARN, "elasticsearch", fault.message, fault.hint)
        return
    yield Check(Status.OK, "elasticsearch", f"{settings.elasticsearch.url} is named; nothing was sent")


def lake(settings: Settings) -> Check:
    """Whether the lake is there, sound, of the configuration's time zone, and can be written."""
    try:
        place = located(settings.lake)
        return _folder(settings, place) if isinstance(place, Path) else _bucket(settings, place)
    except CostlabError as fault:
        return Check(Status.FAIL, "lake", fault.message, fault.hint)


def _folder(settings: Settings, place: Path) -> Check:
    if barred := _unwritable(place):
        mend = "let this user write there, or name another folder with lake in the configuration"
        return Check(Status.FAIL, "lake", barred, mend)
    if not Lake.exists(place):
        refuse_headless(place)
        return Check(Status.OK, "lake", f"{place} is not there yet: the first night makes it")
    held = Lake.open(place, settings.timezone)
    if torn := torn_entries(place):
        return _torn(torn)
    states = held.states()
    if found := _older(held) or _broken(states):
        return found
    free_bytes = disk_usage(place).free
    text = f"{place}, days: {len(states)}, {free_bytes / GIB:,.1f} GiB free"
    if free_bytes < GIB:
        return Check(
            Status.WARN, "lake", text, "make room: a large day needs hundreds of MiB while it is read"
        )
    return Check(Status.OK, "lake", text)


def _bucket(settings: Settings, place: BucketPath) -> Check:
    """The same of a lake in a bucket; its days are read into a folder of this machine first, which has to have room."""
    refuse_unwritable(place)
    room = workshop(place)
    if barred := _unwritable(room):
        return Check(Status.FAIL, "lake", barred, "name a folder for what is read with XDG_STATE_HOME")
    if not Lake.exists(place):
        refuse_headless(place)
        return Check(Status.OK, "lake", f"{place} can be written; the first night makes the lake")
    held = Lake.open(place, settings.timezone)
    states = held.states()
    text = f"{place}, days: {len(states)}; what is read of a day waits in {room}"
    return _older(held) or _broken(states) or Check(Status.OK, "lake", text)


def _torn(torn: Sequence[Torn]) -> Check:
    """Entries that a power cut has torn: the next night takes them away, but for those that something rests on."""
    gravest = max(torn, key=lambda each: bool(each.needed))
    text = "; ".join(each.fault.message for each in torn)
    return Check(Status.FAIL if gravest.needed else Status.WARN, "lake", text, gravest.fault.hint)


def _older(lake: Lake) -> Check | None:
    lacks = [f"{table} lacks {', '.join(sorted(columns))}" for table, columns in lake.older().items()]
    if not lacks:
        return None
    text = f"{lake.path} was written by an older costlab, and no night writes it: {'; '.join(lacks)}"
    return Check(Status.FAIL, "lake", text, "make a backup, then costlab migrate")


def _broken(states: Mapping[Key, DayState]) -> Check | None:
    broken = sorted(
        f"{cluster} {day}" for (cluster, day), state in states.items() if state is DayState.REPAIR
    )
    if not broken:
        return None
    mend = f"measure them again: costlab nightly --date {broken[0].split()[1]}"
    return Check(Status.WARN, "lake", f"under repair: {', '.join(broken[:5])}", mend)


def report(settings: Settings) -> Check:
    """Whether the reports can be written; a night that cannot write them reads nothing."""
    if barred := _unwritable(settings.report.out):
        return Check(
            Status.FAIL, "report", barred, "let this user write there, or name another with report.out"
        )
    return Check(Status.OK, "report", str(settings.report.out))


def metrics(settings: Settings) -> Iterator[Check]:
    """Whether the file of metrics can be written; a night that cannot write it goes on without."""
    file = settings.metrics.textfile
    if file is None:
        return
    # Its folder is the node exporter's: one that is not there is a mistake, and is not made.
    barred = _unwritable(file.parent) if file.parent.is_dir() else f"{file.parent} is no folder"
    mend = "name a file in the textfile collector's folder with metrics.textfile" if barred else ""
    yield Check(Status.WARN if barred else Status.OK, "metrics", barred or str(file), mend)


def _unwritable(folder: Path) -> str:
    """Why nothing can be written into a folder or, where it is not there yet, why it cannot be made; else empty."""
    path = folder
    try:
        path = there = next(above for above in (folder, *folder.parents) if above.exists())
        inside = there.iterdir() if there == folder and there.is_dir() else ()
        for path in (there, *filter(Path.is_dir, inside)):
            with TemporaryFile(dir=path):  # has no name, and leaves no trace
                pass
    except OSError as fault:
        return f"{path} cannot be written: {fault.strerror}"
    return ""
