"""Raw samples through the query API, which everything that calls itself Prometheus has."""

from collections.abc import Iterator, Mapping

from costlab.domain.time import Window
from costlab.sources import Batch
from costlab.sources.prometheus.batches import cut
from costlab.sources.prometheus.http import LARGEST_BODY, Call, Client
from costlab.sources.prometheus.matrix import read_matrix
from costlab.sources.prometheus.selector import Selector
from costlab.sources.prometheus.verdict import JSON

# VictoriaMetrics answers a range selector out of its export, and says so.
_KINDS = JSON | {"application/stream+json"}
_SERVER_SHARE = 0.9  # of our own patience: the server's refusal arrives before we hang up


class QueryEngine:
    """Asks for a range selector at one instant: what was stored, neither resampled nor looked back for.

    further: form parameters that a product needs, such as Thanos's partial_response=false.
    largest_body: bytes beyond which an answer counts as too large; it is held in memory as a whole.
    whole_seconds: for a product that gives nothing at all for an instant with a fraction of a second.
    """

    name = "json"
    # The server needs about 190 bytes of memory for each sample of an answer. We hold two answers as a whole: 430 MB in
    # all, where twice as large ones come to 510 and are not read faster.
    most_samples: int | None = 1_000_000

    def __init__(
        self,
        client: Client,
        further: Mapping[str, str] | None = None,
        largest_body: int = LARGEST_BODY,
        *,
        whole_seconds: bool = False,
    ) -> None:
        self._client = client
        self._further = dict(further or {})
        self._largest_body = largest_body
        self._whole_seconds = whole_seconds
        self._remarks: dict[str, None] = {}

    @property
    def remarks(self) -> tuple[str, ...]:
        """What servers said beside their answers so far, each remark once."""
        return tuple(self._remarks)

    def read(self, selector: Selector, window: Window) -> Iterator[Batch]:
        """The samples with window.start_ms <= t < window.end_ms, as one batch or none; raises as `Engine` says."""
        if not window.duration_ms:
            return
        call = Call("api/v1/query", self._form(selector, window), kinds=_KINDS)
        with self._client.receive(call) as body:
            matrix = read_matrix(body.whole(self._largest_body), body.server)
        self._remarks |= dict.fromkeys(matrix.remarks)
        early_ms, late_ms = (2000, 1000) if self._whole_seconds else (1, 0)
        batch = cut(matrix.batch, window, body.server, late_ms, early_ms)
        if len(batch.at_ms):
            yield batch

    def _form(self, selector: Selector, window: Window) -> dict[str, str]:
        query, time = self._whole(selector, window) if self._whole_seconds else self._exact(selector, window)
        timeout = f"{_SERVER_SHARE * self._client.timeout_s:.3f}"
        return {"query": query, "time": time, "timeout": timeout, **self._further}

    def _exact(self, selector: Selector, window: Window) -> tuple[str, str]:
        # A range selector of Prometheus 2 holds both of its ends, that of 3 only the later one. So it is asked for
        # (end - 1 ms) - duration = start - 1 ms onwards: 3 gives exactly the window, 2 at most one instant more.
        seconds, rest = divmod(window.end_ms - 1, 1000)
        return f"{selector}[{window.duration_ms}ms]", f"{seconds}.{rest:03d}"

    def _whole(self, selector: Selector, window: Window) -> tuple[str, str]:
        # From a full second before the window to the full second after it, whichever ends count.
        first_s, last_s = window.start_ms // 1000 - 1, -(-window.end_ms // 1000)
        return f"{selector}[{last_s - first_s}s]", str(last_s)
