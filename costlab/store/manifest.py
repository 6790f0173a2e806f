"""What a backup holds: every file of the lake at one moment, with its size and SHA-256, in a manifest that vouches for itself."""

import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any

import orjson

from costlab.domain.errors import ConfigError, LakeError
from costlab.domain.tables import TABLES
from costlab.store.faults import newer
from costlab.store.posts import FOLDER as POSTS
from costlab.store.vault import Vault

FORMAT = 2  # 1 had no posts
FOLDER = "manifests"
_STAMP = "%Y-%m-%dT%H-%M-%SZ"
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Item:
    """A file of the lake: its path in the lake's folder, and what is in it."""

    path: str
    size_bytes: int
    sha256: str

    @property
    def name(self) -> str:
        """The name of its bytes in a vault: the same bytes lie there once."""
        return f"files/{self.sha256[:2]}/{self.sha256}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """A backup. at: when it was made, which is its name; days: how many `runs` tells of."""

    at: str
    costlab_version: str
    days: int
    items: tuple[Item, ...]

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return sum(item.size_bytes for item in self.items)

    def write(self, vault: Vault) -> None:
        """Put it into the vault; from then on the backup is one. Raises LakeError."""
        said = {"format": FORMAT, **asdict(self)}
        whole = {**said, "sha256": _hash(said)}
        vault.put(_name(self.at), iter([orjson.dumps(whole, option=orjson.OPT_INDENT_2)]))


def stamp(now: datetime) -> str:
    """The name of a backup that is made at a moment.

    >>> stamp(datetime(2026, 11, 26, 4, 5, 6, tzinfo=UTC))
    '2026-11-26T04-05-06Z'
    """
    return now.astimezone(UTC).strftime(_STAMP)


def stamps(vault: Vault) -> list[str]:
    """The backups in a vault, oldest first; one that broke off is none."""
    return [PurePosixPath(name).stem for name in vault.names(FOLDER) if name.endswith(".json")]


def read_manifest(vault: Vault, at: str | None = None) -> Manifest:
    """The backup of that name, or the newest.

    Raises ConfigError when there is none; LakeError when its manifest is damaged, or a newer costlab wrote it.
    """
    there = stamps(vault)
    if not there:
        raise ConfigError(f"there is no backup in {vault}", "make one first: costlab backup")
    if at is not None and at not in there:
        raise ConfigError(
            f"there is no backup {at} in {vault}", f"the newest are {', '.join(reversed(there[-5:]))}"
        )
    name = _name(at or there[-1])
    earlier = [stem for stem in there if _name(stem) != name]
    hint = f"take another with --at: {', '.join(reversed(earlier[-5:]))}" if earlier else "make a new backup"
    try:
        said: dict[str, Any] = orjson.loads(b"".join(vault.pieces(name)))
        if said["format"] > FORMAT:
            raise newer_manifest(vault, name, said["format"])
        claimed = said.pop("sha256")
        items = tuple(Item(**item) for item in said["items"])
        sound = claimed == _hash(said) and all(map(_sound, items))
        manifest = Manifest(said["at"], said["costlab_version"], said["days"], items)
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise LakeError(f"{name} in {vault} is damaged", hint) from error
    if not sound:
        raise LakeError(f"{name} in {vault} is damaged: it is not as it was written", hint)
    return manifest


def newer_manifest(vault: Vault, name: str, form: object) -> LakeError:
    """The error of a backup that this version cannot read."""
    return newer(f"{name} in {vault}", f"its format is {form}, not {FORMAT}")


def _name(at: str) -> str:
    return f"{FOLDER}/{at}.json"


def _hash(said: dict[str, Any]) -> str:
    return sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _sound(item: Item) -> bool:
    """Whether it names a file of a lake, and not one elsewhere on the disk."""
    parts = PurePosixPath(item.path).parts
    inside = parts == ("lake.json",) or (len(parts) > 1 and parts[0] in (*TABLES, POSTS))
    return inside and ".." not in parts and _SHA256.fullmatch(item.sha256) is not None
