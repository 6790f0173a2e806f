"""What was posted: a file a post under `_posts/` of the lake, written as a whole once the post was delivered."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from hashlib import sha256

import orjson

from costlab.domain.errors import LakeError
from costlab.store.durable import refuse_unwritable, write_atomically
from costlab.store.faults import translated
from costlab.store.place import Place, found

FOLDER = "_posts"


@dataclass(frozen=True, slots=True)
class Slot:
    """The one post that a destination gets of a team's day; what it says does not make it another."""

    cluster: str
    day: date
    team: str
    destination: str

    @property
    def key(self) -> str:
        """What tells it apart, as a hash: names of teams may hold anything."""
        return _hashed(self.cluster, self.day.isoformat(), self.team, self.destination)

    @property
    def thread(self) -> str:
        """What it has in common with those of the same cluster, team and destination on other days, as a hash."""
        return _hashed(self.cluster, self.team, self.destination)


@dataclass(frozen=True, slots=True)
class Record:
    """What is remembered of a post: what it told, the SHA-256 of what was sent, and whether it was surely delivered."""

    keys: tuple[str, ...]
    content: str
    posted_at: str
    sure: bool


class Posts:
    """The posts of a lake; to be changed only by who holds the lake."""

    def __init__(self, lake: Place) -> None:
        self._folder = lake / FOLDER

    def make_room(self) -> None:
        """A record can be written: looked at before something is sent that could not be remembered. Raises LakeError."""
        with translated(self._folder):
            self._folder.mkdir(exist_ok=True)
            refuse_unwritable(self._folder)

    def find(self, slot: Slot) -> Record | None:
        """What was posted there already; raises LakeError for a record that cannot be read."""
        path = self._path(slot)
        if not path.is_file():
            return None
        _, record = _read(path)
        return record

    def told(self, slot: Slot, days: int) -> set[str]:
        """What the destination was told of the team in so many days up to the slot's, by other posts than that.

        Posts of other clusters count: one budget is over all of them. What may not have arrived was not told.
        """
        keys: set[str] = set()
        for back in range(days):
            folder = self._folder / str(slot.day - timedelta(days=back))
            for path in found(folder, "*.json") if folder.is_dir() else ():
                of, record = _read(path)
                if record.sure and (of.team, of.destination) == (slot.team, slot.destination) and of != slot:
                    keys.update(record.keys)
        return keys

    def newest(self, slot: Slot) -> tuple[date, Record] | None:
        """The newest that the destination was told of the cluster's team, whatever the slot's day, and of which day."""
        there = {
            path.parent.name: path
            for path in found(self._folder, "*/*.json")
            if path == self._same(path, slot)
        }
        if not there:
            return None
        of, record = _read(there[max(there)])
        return of.day, record

    def _same(self, path: Place, slot: Slot) -> Place:
        """Where the slot's record would be in the folder of that one."""
        return self._path(replace(slot, day=date.fromisoformat(path.parent.name)))

    def record(self, slot: Slot, record: Record) -> None:
        """From now on the post counts as made, also after a power cut. Raises LakeError."""
        path = self._path(slot)
        written = {
            "cluster": slot.cluster, "date": slot.day.isoformat(), "team": slot.team,
            "destination": slot.destination, "keys": list(record.keys), "content": record.content,
            "posted_at": record.posted_at, "sure": record.sure,
        }  # fmt: skip
        with translated(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, orjson.dumps(written, option=orjson.OPT_INDENT_2))

    def forget(self, slot: Slot) -> None:
        """The post counts as not made; raises LakeError when that cannot be written down."""
        path = self._path(slot)
        with translated(path):
            path.unlink(missing_ok=True)

    def _path(self, slot: Slot) -> Place:
        return self._folder / str(slot.day) / f"{slot.key[:32]}.json"


def _hashed(*parts: str) -> str:
    return sha256(orjson.dumps(parts)).hexdigest()


def _read(path: Place) -> tuple[Slot, Record]:
    try:
        with translated(path, "read"):
            told = orjson.loads(path.read_bytes())
        slot = Slot(told["cluster"], date.fromisoformat(told["date"]), told["team"], told["destination"])
        return slot, Record(
            tuple(told["keys"]), str(told["content"]), str(told["posted_at"]), bool(told["sure"])
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise LakeError(
            f"{path} is damaged", "delete it: the post that it remembers may then be made again"
        ) from error
