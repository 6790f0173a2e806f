"""Where metrics go: a file for the node exporter's textfile collector, and a Pushgateway."""

import os
from pathlib import Path

import requests

from costlab.domain.errors import ConfigError
from costlab.sources.prometheus.adapter import PromptAdapter
from costlab.store import durable

_KIND = "text/plain; version=0.0.4; charset=utf-8"
_READABLE = 0o644  # the node exporter runs as somebody else
_TIMEOUT_S = 10


def write_textfile(path: Path, content: bytes) -> None:
    """The file now holds the content, as a whole, for everybody to read. Raises ConfigError when it cannot be written."""
    try:
        with durable.replacing(path) as file:
            os.fchmod(file.fileno(), _READABLE)
            file.write(content)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}",
            "name a file in the textfile collector's folder with metrics.textfile",
        ) from error


def push(gateway: str, cluster: str, content: bytes) -> None:
    """The Pushgateway now holds the content in the place of what it had of the cluster.

    Raises ConfigError when it does not take it within ten seconds.
    """
    url = f"{gateway}/metrics/job/costlab/cluster/{cluster}"
    hint = "see what metrics.pushgateway names"
    try:
        with requests.Session() as session:
            session.mount(f"{gateway}/", PromptAdapter())
            answer = session.put(
                url, content, headers={"Content-Type": _KIND}, timeout=_TIMEOUT_S, allow_redirects=False,
                stream=True,  # its status says it all
            )  # fmt: skip
    except requests.RequestException as error:
        raise ConfigError(f"{gateway} cannot be pushed to: {type(error).__name__}", hint) from error
    if not answer.ok or answer.is_redirect:
        raise ConfigError(f"{gateway} refused the metrics: {answer.status_code} {answer.reason}", hint)
