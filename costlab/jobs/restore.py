"""Put a backup of the lake back, or find out whether it could be."""

from costlab.jobs.backup import told, vault_at
from costlab.store import backup
from costlab.store.manifest import read_manifest
from costlab.store.place import Place, located


def restore(place: str, where: str | Place, at: str | None, *, dry_run: bool) -> str:
    """Restore the newest backup, or that of a moment, to where there is no lake; one line about it.

    A dry run reads and verifies every file of the backup, and writes nothing. Raises what `store.backup.restore` does.
    """
    path = located(where)
    vault = vault_at(place, path)
    manifest = read_manifest(vault, at)
    if dry_run:
        backup.refuse_damaged(vault, manifest, backup.faults_of(vault, manifest, read=True))
        return f"sound, and nothing was written: {told(manifest)}"
    backup.restore(vault, manifest, path)
    return f"restored {path} as of {told(manifest)}"
