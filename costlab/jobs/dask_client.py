"""The way to a dask scheduler, and which schedulers and workers are refused."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from costlab import __version__
from costlab.domain.errors import ConfigError, CrewUnavailable
from costlab.jobs.away import refuse_other, versions

SCHEMES = {"dask": "tcp", "dask+tls": "tls"}
PORT = 8786


def target_of(address: str) -> str:
    """Where the scheduler of `dask://HOST:PORT` listens, in dask's words. Raises ConfigError."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port or PORT
    except ValueError:  # a port that is no number
        parts, host, port = urlsplit(""), None, 0
    if parts.scheme not in SCHEMES or not host or parts.path.strip("/") or "@" in parts.netloc:
        raise ConfigError(
            "--engine takes the address of a dask scheduler",
            f"such as dask://scheduler:{PORT}, or dask+tls://…",
        )
    return f"{SCHEMES[parts.scheme]}://{f'[{host}]' if ':' in host else host}:{port}"


@contextmanager
def connected(target: str, patience_s: float) -> Iterator[Any]:
    """A client of the scheduler, whose workers are as this process is, for a block.

    Raises ConfigError without the extra `dask`, and for workers with another costlab or Python; CrewUnavailable when there is no
    scheduler, or no worker.
    """
    _refuse_absent()
    with _quiet():
        client = _client(target, patience_s)
        try:
            _refuse_others(client, patience_s)
            yield client
        finally:
            client.close(timeout=5)


def no_worker() -> CrewUnavailable:
    """The error of a scheduler that nobody works for."""
    return CrewUnavailable(
        "the dask scheduler has no worker", "start some: dask worker HOST:PORT --nthreads 1 --nworkers N"
    )


def lost() -> CrewUnavailable:
    """The error of a scheduler that went away."""
    return CrewUnavailable(
        "the dask scheduler is gone",
        "what is in the lake stands; start it again, and the same command goes on",
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Dask tells the log with a traceback of a scheduler that is gone, which is an error of ours with a hint."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _refuse_absent() -> None:
    try:
        import_module("distributed")  # it is heavy, and sets its own log levels
    except ModuleNotFoundError as fault:
        raise ConfigError(
            "--engine dask:// needs the package distributed", "install costlab with its extra: costlab[dask]"
        ) from fault


def _client(target: str, patience_s: float) -> Any:
    import distributed  # noqa: PLC0415 - an extra, and heavy

    if target.startswith("tls") and not _certified():
        raise ConfigError(
            "dask+tls:// needs certificates, and dask's configuration names none",
            "set distributed.comm.tls.ca-file, .client.cert and .client.key there",
        )
    try:
        return distributed.Client(  # type: ignore[no-untyped-call]
            target, timeout=patience_s, set_as_default=False, name="costlab"
        )
    except OSError as fault:
        raise CrewUnavailable(
            f"no dask scheduler answers at {target} within {patience_s:g} s",
            "start one with `dask scheduler`, or look at the address and the network between",
        ) from fault


def _certified() -> bool:
    from distributed.security import Security  # noqa: PLC0415 - an extra, and heavy

    told: dict[str, Any] = Security().get_connection_args("client")  # type: ignore[no-untyped-call]
    return bool(told.get("ssl_context"))


def _refuse_others(client: Any, patience_s: float) -> None:
    try:
        client.wait_for_workers(1, timeout=patience_s)
    except TimeoutError:
        raise no_worker() from None
    for worker, theirs in client.run(versions, on_error="return").items():
        if isinstance(theirs, Exception):
            raise ConfigError(
                f"the worker {worker} cannot run costlab: {type(theirs).__name__}",
                f"install costlab {__version__} for Python {versions()[1]} where workers run",
            )
        refuse_other(versions(), theirs, f"the worker {worker}")
