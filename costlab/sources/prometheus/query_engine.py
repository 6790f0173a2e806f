"""Raw samples through the query API, which everything that calls itself Prometheus has."""

from collections.abc import Iterator, Mapping
from math import inf

from costlab.domain.time import Window
from costlab.sources import Batch
from costlab.sources.prometheus.batches import cut, malformed
from costlab.sources.prometheus.engine import any_sample
from costlab.sources.prometheus.http import LARGEST_BODY, Call, Client
from costlab.sources.prometheus.matrix import read_matrix
from costlab.sources.prometheus.ranges import Range, around, within
from costlab.sources.prometheus.selector import Selector
from costlab.sources.prometheus.verdict import JSON

# VictoriaMetrics answers a range selector out of its export, and says so.
_KINDS = JSON | {"application/stream+json"}
_END_MS = 2000  # of a window, more than `around` and `within` differ in


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

    def read(self, selector: Selector, window: Window, deadline: float = inf) -> Iterator[Batch]:
        """The samples with window.start_ms <= t < window.end_ms, as one batch or none; raises as `Engine` says."""
        if not window.duration_ms:
            return
        asked = around(window, whole_seconds=self._whole_seconds)
        call = Call("api/v1/query", self._form(str(selector), asked, deadline), kinds=_KINDS)
        with self._client.receive(call, deadline) as body:
            matrix = read_matrix(body.whole(self._largest_body), body.server)
        self._remarks |= dict.fromkeys(matrix.remarks)
        early_ms, late_ms = (2000, 1000) if self._whole_seconds else (1, 0)
        batch = cut(matrix.batch, window, body.server, late_ms, early_ms)
        if len(batch.at_ms):
            yield batch

    def heard(self, selector: Selector, window: Window, deadline: float = inf) -> bool:
        """As `Engine.heard`: the server counts, one series after the other, and sends a number."""
        whole_seconds = self._whole_seconds
        if not window.duration_ms or not self._counted(
            selector, around(window, whole_seconds=whole_seconds), deadline
        ):
            return False
        inner = within(window, whole_seconds=whole_seconds)
        if inner and self._counted(selector, inner, deadline):
            return True
        # What was counted lies at an end of the window, or a little beyond it: only reading tells.
        first_ms = min(window.start_ms + _END_MS, window.end_ms)
        last_ms = max(window.end_ms - _END_MS, first_ms)
        ends = (Window(window.start_ms, first_ms), Window(last_ms, window.end_ms))
        return any(any_sample(self.read(selector, end, deadline)) for end in ends)

    def _counted(self, selector: Selector, asked: Range, deadline: float) -> bool:
        """Whether a series has a sample in the range; raises SourceError."""
        form = self._form(f"count(last_over_time({selector}", asked, deadline, "))")
        answer = self._client.ask_once(Call("api/v1/query", form), deadline)
        found = answer.data.get("result") if isinstance(answer.data, dict) else None
        if not isinstance(found, list):
            raise malformed(answer.server, "the count of series is no list")
        return bool(found)

    def _form(self, selector: str, asked: Range, deadline: float, after: str = "") -> dict[str, str]:
        return {
            "query": f"{selector}[{asked.length}]{after}",
            "time": asked.time,
            "timeout": self._client.server_timeout(deadline),
            **self._further,
        }
