"""A dask cluster of this machine."""

from collections.abc import Iterator
from contextlib import contextmanager

import dask
from distributed import LocalCluster


@contextmanager
def two_workers() -> Iterator[LocalCluster]:
    """Two workers, one thread each; a task that one of them died of is tried once more."""
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1", silence_logs=50
        ) as made,
    ):  # fmt: skip
        yield made
