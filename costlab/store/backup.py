"""Copy a lake into a vault, and put it back: what is the same is copied once, and what comes back is verified."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from costlab import __version__
from costlab.domain.errors import Busy, ConfigError, LakeError
from costlab.store import durable, lease, locking
from costlab.store.faults import translated
from costlab.store.lake import HEAD, RESTORING, Lake, refuse_path
from costlab.store.log import LOG
from costlab.store.manifest import Item, Manifest, read_manifest, stamp, stamps
from costlab.store.place import Place
from costlab.store.posts import FOLDER as POSTS
from costlab.store.pruning import actions_of
from costlab.store.vault import Vault, pieces_of

_NAMED = 5
_OWN = frozenset({locking.LOCK, locking.HOLDER, lease.FOLDER})


@dataclass(frozen=True, slots=True)
class Copied:
    """A backup that was made, and how much of it the vault did not hold before."""

    manifest: Manifest
    new_files: int
    new_bytes: int


def back_up(lake: Lake, vault: Vault, now: datetime) -> Copied:
    """The lake as it is at this moment, in the vault; the manifest is written last.

    The lake is locked only while its files are listed: none of them changes, and none is deleted for three days. Raises
    LakeError, also for a file that is not what an earlier backup of the same lake holds or has not the size that its table
    tells, and where a table's log lacks what the last backup holds of it; LakeFull; Busy.
    """
    with lake.locked(older=True):
        paths, days = _listed(lake), len(lake.states())
    with vault.locked():
        at, there = stamp(now), stamps(vault)
        if there and there[-1] >= at:
            raise Busy(f"{vault} has a backup of {there[-1]} already", "make the next one a second later")
        known = {item.path: item.sha256 for item in read_manifest(vault).items} if there else {}
        if gone := sorted(path for path in known.keys() - {*paths} if _is_entry(path)):
            raise LakeError(
                f"{lake.path / gone[0]} is gone, and the backup of {there[-1]} in {vault} holds it: the lake was "
                "damaged, or is an older one that was restored",
                f"costlab restore {vault} brings the lake back elsewhere; an older one needs another folder",
            )
        items, new_files, new_bytes = [], 0, 0
        written: dict[str, int] = {}
        for path in paths:
            post = path.startswith(f"{POSTS}/")
            if post and not (lake.path / path).is_file():
                continue  # a prune has deleted it just now
            item = _item(lake, path)
            # What is remembered of a post changes when it is made again: nothing else does.
            if not post and known.get(path, item.sha256) != item.sha256:
                raise LakeError(
                    f"{lake.path / path} is not what the backup of {there[-1]} in {vault} holds: it was damaged, "
                    "or this is another lake",
                    f"costlab restore {vault} brings the lake back elsewhere; another lake needs another folder",
                )
            if path not in known and _is_entry(path):
                written |= _written_by(lake, path)
            if written.get(path, item.size_bytes) != item.size_bytes:
                raise LakeError(
                    f"{lake.path / path} has {item.size_bytes:,} bytes instead of {written[path]:,}",
                    "costlab doctor --files names the damaged days and how to mend them",
                )
            items.append(item)
            if vault.size_bytes(item.name) != item.size_bytes:
                vault.put(item.name, _checked(pieces_of(lake.path / path), item, lake.path / path))
                new_files, new_bytes = new_files + 1, new_bytes + item.size_bytes
        manifest = Manifest(at, __version__, days, tuple(items))
        manifest.write(vault)
    return Copied(manifest, new_files, new_bytes)


def forget(vault: Vault, keep: int) -> int:
    """All but the newest backups are gone, and what only those held; how many files went. Raises LakeError, Busy."""
    with vault.locked():
        old = stamps(vault)[:-keep]
        held = {item.name for at in stamps(vault)[-keep:] for item in read_manifest(vault, at).items}
        for at in old:
            vault.delete(f"manifests/{at}.json")
        loose = vault.loose(held) if old else []
        for name in loose:
            vault.delete(name)
    return len(loose)


def faults_of(vault: Vault, manifest: Manifest, *, read: bool) -> list[str]:
    """What is missing from a backup or damaged, by the files' paths in the lake; `read` looks into each. Raises LakeError."""
    found = []
    for item in manifest.items:
        size_bytes = vault.size_bytes(item.name)
        if size_bytes is None:
            found.append(f"{item.path} is missing")
        elif size_bytes != item.size_bytes:
            found.append(f"{item.path} has {size_bytes:,} bytes instead of {item.size_bytes:,}")
        elif read and _hash(vault.pieces(item.name)) != item.sha256:
            found.append(f"{item.path} is not what was backed up")
    return found


def restore(vault: Vault, manifest: Manifest, path: Place) -> None:
    """The lake of a backup, at a path where there is none; it is a lake once every file of it was verified.

    What broke off is gone on with. Raises ConfigError when something else is there; LakeError; LakeFull; Busy.
    """
    refuse_path(path)
    _refuse_occupied(path)
    refuse_damaged(vault, manifest, faults_of(vault, manifest, read=False))
    with translated(path):
        path.mkdir(parents=True, exist_ok=True)
    with locking.alone(path):
        with translated(path):
            durable.write_atomically(path / RESTORING, manifest.at.encode())
        *items, head = sorted(manifest.items, key=lambda item: item.path == HEAD)
        faults = [fault for item in items if (fault := _placed(vault, item, path))]
        refuse_damaged(vault, manifest, faults)
        _sweep(path, {path / item.path for item in items})
        if fault := _placed(vault, head, path):  # last: from now on it is a lake
            refuse_damaged(vault, manifest, [fault])
        with suppress(OSError):
            (path / RESTORING).unlink()


def refuse_damaged(vault: Vault, manifest: Manifest, faults: list[str]) -> None:
    """Raise LakeError when there are any."""
    if faults:
        more = f" and {len(faults) - _NAMED:,} more" if len(faults) > _NAMED else ""
        others = [at for at in stamps(vault) if at != manifest.at]
        hint = f"try another: --at {others[-1]}" if others else "there is no other backup in it"
        raise LakeError(
            f"the backup of {manifest.at} in {vault} is damaged: {'; '.join(faults[:_NAMED])}{more}", hint
        )


def _listed(lake: Lake) -> list[str]:
    """Every file that makes up the lake now, by its path in it."""
    names = [HEAD]
    for table, snapshot in lake.snapshots().items():
        names += [f"{table}/{LOG}/{version:020}.json" for version in range(snapshot.version + 1)]
        names += [f"{table}/{file}" for files in snapshot.files.values() for file in files]
    # A restored lake that had forgotten them would post twice.
    names += [f"{POSTS}/{path.parent.name}/{path.name}" for path in (lake.path / POSTS).glob("*/*.json")]
    return names


def _is_entry(path: str) -> bool:
    """Whether it is one of a table's log, from which none is ever taken away."""
    return f"/{LOG}/" in path


def _written_by(lake: Lake, entry: str) -> dict[str, int]:
    """The size of each file that an entry has added to its table, by its path in the lake. Raises LakeError."""
    table = entry.partition("/")[0]
    added = (action.get("add") for action in actions_of(lake.path / entry))
    return {f"{table}/{each['path']}": int(each["size"]) for each in added if each}


def _item(lake: Lake, path: str) -> Item:
    size_bytes = 0

    def counted() -> Iterator[bytes]:
        nonlocal size_bytes
        for piece in pieces_of(lake.path / path):
            size_bytes += len(piece)
            yield piece

    digest = _hash(counted())
    return Item(path, size_bytes, digest)


def _hash(pieces: Iterator[bytes]) -> str:
    digest = sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def _checked(pieces: Iterator[bytes], item: Item, source: object) -> Iterator[bytes]:
    """The pieces; raises LakeError in the place of an end when they are not what the item says."""
    digest = sha256()
    for piece in pieces:
        digest.update(piece)
        yield piece
    if digest.hexdigest() != item.sha256:
        raise _Changed(f"{source} is not what it was a moment ago", "check the disk, then run it again")


class _Changed(LakeError):
    """Bytes are not those that their hash was taken of."""


def _refuse_occupied(path: Place) -> None:
    with translated(path, "read"):
        if (path / HEAD).exists():
            raise ConfigError(
                f"there is a lake at {path} already", "move it away, or name another place with --lake"
            )
        others = [] if not path.exists() else [inside.name for inside in path.iterdir()]
    if not {*others} <= _OWN and RESTORING not in others:
        raise ConfigError(
            f"{path} is not empty: {', '.join(sorted(others)[:_NAMED])}", "name another place with --lake"
        )


def _placed(vault: Vault, item: Item, path: Place) -> str:
    """What is wrong with a file of the backup; empty when it is now in its place, verified and on the disk."""
    place = path / item.path
    if place.is_file() and _hash(pieces_of(place)) == item.sha256:
        return ""
    try:
        with translated(place):
            made = durable.make_folder(place.parent)
            with durable.replacing(place) as file:
                file.writelines(_checked(vault.pieces(item.name), item, item.path))
            for folder in made:
                durable.sync_folder(folder.parent)
    except _Changed:
        return f"{item.path} is not what was backed up"
    return ""


def _sweep(path: Place, wanted: set[Place]) -> None:
    """What an unfinished restore of another backup left is gone: a later log entry of it would be believed."""
    with translated(path):
        for file in path.rglob("*"):
            own = file.parent == path and file.name in (*_OWN, RESTORING)
            leased = file.parent == path / lease.FOLDER
            if file.is_file() and file not in wanted and not (own or leased):
                file.unlink()
