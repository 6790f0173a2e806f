"""Copy the lake into a place of backups, and tell what was new in it."""

from datetime import datetime
from pathlib import Path

from costlab.domain.errors import ConfigError
from costlab.render import figures
from costlab.store.backup import back_up, forget
from costlab.store.bucket import Bucket
from costlab.store.lake import Lake
from costlab.store.manifest import Manifest
from costlab.store.place import Place
from costlab.store.vault import Folder, Vault


def backup(lake: Lake, place: str, now: datetime, keep: int | None) -> str:
    """Make a backup, then forget all but the newest `keep`; one line about it. Raises what `back_up` raises."""
    copied = back_up(lake, vault_at(place, lake.path), now)
    line = f"backed up {lake.path} as {told(copied.manifest)}; new: {figures.counted(copied.new_files, 'file')}, {_mib(copied.new_bytes)}"
    if keep is None:
        return line
    gone = forget(vault_at(place, lake.path), keep)
    return f"{line}; of earlier backups {figures.counted(gone, 'file was', 'files were')} deleted"


def vault_at(place: str, lake: Place) -> Vault:
    """The backups of a place: a folder, or s3://bucket/folder.

    Raises ConfigError where none is named, and when it and the lake are in each other.
    """
    if not place.strip():  # a variable that is not set: the folder in which one stands is none for backups
        raise ConfigError("no place of backups is named", "name a folder, or s3://bucket/folder")
    if "://" in place:
        here, there = f"{lake}/", f"{place.partition('?')[0].rstrip('/')}/"
        if here.startswith(there) or there.startswith(here):
            raise _within(place, lake)
        return Bucket(place)
    folder = Path(place)
    if not isinstance(lake, Path):
        return Folder(folder)
    ours, theirs = lake.resolve(), folder.resolve()
    if ours.is_relative_to(theirs) or theirs.is_relative_to(ours):
        raise _within(place, lake)
    return Folder(folder)


def _within(place: str, lake: Place) -> ConfigError:
    return ConfigError(
        f"the backup {place.partition('?')[0]} and the lake {lake} are in each other",
        "name a folder beside the lake",
    )


def told(manifest: Manifest) -> str:
    """A backup in words."""
    return f"{manifest.at}: {figures.counted(manifest.days, 'day')}, {figures.counted(len(manifest.items), 'file')}, {_mib(manifest.size_bytes)}"


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:,.1f} MiB"
