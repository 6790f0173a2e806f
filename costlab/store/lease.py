"""One writer at a time in a bucket: who would write puts down a lease, looks whether another lies there, and renews it.

A bucket shows every write to whoever lists it later. Of two runs that put down their leases at once, the one that looks
last sees both, and gives way; perhaps both do, but never neither. Times are those of the store, not of any machine.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from uuid import uuid4

import orjson

from costlab.domain.errors import Busy, CostlabError
from costlab.store.faults import translated
from costlab.store.place import BucketPath

FOLDER = "_leases"
BEAT_S = 30.0
# A lease that was not renewed for so long is a dead run's, or one's that can no longer reach the store.
LENGTH_S = 600.0


class Lease:
    """That this run alone writes into the lake."""

    def __init__(self, path: BucketPath, signature: bytes) -> None:
        self._path = path
        self._signature = signature
        self._ended = Event()

    def assure(self) -> None:
        """Raise Busy when another run has taken the lease away: this one was out of reach for too long."""
        if not self._path.is_file():
            raise Busy(
                f"the lake at {self._path.parent.parent} was taken over by another run: this one had not reached it "
                f"for {LENGTH_S / 60:.0f} minutes",
                "run the same command again when that run has ended",
            )

    def renew_until_ended(self) -> None:
        """Write the lease anew every half minute, but never after it was taken away."""
        while not self._ended.wait(BEAT_S):
            with suppress(OSError, CostlabError):
                if not self._path.is_file():
                    return
                self._path.write_bytes(self._signature)

    def end(self) -> None:
        """The lease is gone; where it cannot be taken away, it ends by itself."""
        self._ended.set()
        with suppress(OSError, CostlabError):
            self._path.unlink(missing_ok=True)


@contextmanager
def leased(
    lake: BucketPath, workshop_id: str, signature: dict[str, object], said: Callable[[object], str]
) -> Iterator[Lease]:
    """The lake is this run's alone to write until the block ends, or the lease does because the run is dead.

    workshop_id: of the folder of this machine that the run holds by a kernel lock; an earlier lease of it is a dead run's.
    said: who holds a lease, in words. Raises Busy, naming the holder; ConfigError when it may not be written there.
    """
    folder = lake / FOLDER
    own = folder / f"{workshop_id}.{uuid4().hex}.json"
    with translated(own):
        own.write_bytes(orjson.dumps(signature))
        lease = Lease(own, orjson.dumps(signature))
        try:
            _refuse_others(folder, own, workshop_id, said)
        except BaseException:
            lease.end()
            raise
    beat = Thread(target=lease.renew_until_ended, daemon=True)
    beat.start()
    try:
        yield lease
    finally:
        lease.end()


def _refuse_others(
    folder: BucketPath, own: BucketPath, workshop_id: str, said: Callable[[object], str]
) -> None:
    """Raise Busy when a lease beside our own is alive; what is not goes."""
    there = list(folder.glob("*.json"))
    now_s = max(path.stat().st_mtime for path in there if path == own)
    for path in there:
        if path == own:
            continue
        left_s = path.stat().st_mtime + LENGTH_S - now_s
        if path.name.startswith(f"{workshop_id}.") or left_s < 0:
            path.unlink(missing_ok=True)
            continue
        raise Busy(
            f"the lake at {folder.parent} is in use{_holder(path, said)}",
            f"run the same command again when that run has ended; of one that died the lease ends in {left_s / 60:.0f} minutes",
        )


def _holder(path: BucketPath, said: Callable[[object], str]) -> str:
    try:
        return said(orjson.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError, KeyError, CostlabError):
        return ""
