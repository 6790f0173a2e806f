"""Signals out of a Prometheus: the first metric that has samples carries the signal."""

from collections.abc import Iterable

import requests

from costlab.config.settings import Prometheus
from costlab.domain.signals import Series, Signal, no_series
from costlab.domain.time import Window
from costlab.sources import SourceInfo
from costlab.sources.prometheus.canonical import canonical_series, note_left_out
from costlab.sources.prometheus.catalogue import carriers
from costlab.sources.prometheus.connection import build_info, open_session
from costlab.sources.prometheus.http import Client
from costlab.sources.prometheus.raw import read_raw
from costlab.sources.prometheus.selector import Matcher, Operator


class PrometheusSource:
    """Reads raw samples through the query API; `session` replaces the one made from the settings.

    Raises ConfigError when a file that the settings name cannot be used.
    """

    def __init__(self, settings: Prometheus, session: requests.Session | None = None) -> None:
        self.warnings: list[str] = []
        self._settings = settings
        self._client = Client(settings.url, session or open_session(settings), settings.timeout)
        self._matchers = tuple(
            Matcher(label, Operator.EQUAL, value) for label, value in sorted(settings.matchers.items())
        )

    def fetch(self, signal: Signal, window: Window) -> Series:
        """All samples with window.start_ms <= t < window.end_ms.

        Raises SourceUnavailable or SourceRefused; never gives a part of what was asked for.
        """
        for metric in carriers(signal):
            selector = metric.selector(self._matchers)
            raw, infos = read_raw(self._client, selector, window, self._settings.max_in_flight)
            self._note(infos)
            if raw:
                note_left_out(self.warnings, metric.name, raw)
                return canonical_series(signal, raw, self._settings.replica_labels)
        return no_series(signal)

    def info(self) -> SourceInfo:
        """The product and version that answer; raises SourceError."""
        return build_info(self._client)

    def _note(self, remarks: Iterable[str]) -> None:
        self.warnings.extend(remark for remark in dict.fromkeys(remarks) if remark not in self.warnings)
