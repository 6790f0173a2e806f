"""Stand-in until the scanner lands."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from costlab.domain.time import Window
from costlab.sources import Batch
from costlab.sources.prometheus.http import Client
from costlab.sources.prometheus.raw import _read_once
from costlab.sources.prometheus.selector import Selector


class QueryEngine:
    """As `Engine`."""

    name = "json"
    most_samples: int | None = 2_000_000

    def __init__(self, client: Client) -> None:
        self._client = client
        self.remarks: list[str] = []

    def read(self, selector: Selector, window: Window) -> Iterator[Batch]:
        """As `Engine.read`."""
        series, infos = _read_once(self._client, selector, window)
        self.remarks += infos
        if series:
            yield Batch(
                pa.array([list(one.labels.items()) for one in series], pa.map_(pa.string(), pa.string())),
                np.concatenate([[0], np.cumsum([len(one.at_ms) for one in series])]),
                np.concatenate([one.at_ms for one in series]),
                np.concatenate([one.values for one in series]),
            )
