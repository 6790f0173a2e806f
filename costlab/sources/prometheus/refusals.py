"""What servers say when they do not answer, by their own words: what it means, and which of whose settings mends it.

Words, not statuses: the same fault comes as 400, 422, 500 or 503, by product and version.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

_NARROW = "narrow with prometheus.matchers"


class Meaning(StrEnum):
    """What to do about an answer that is none."""

    TOO_LARGE = "less at once may do"
    TOO_LONG = "a shorter window may do, fewer series will not"
    TIMED_OUT = "less at once may do, the same again will not"
    BUSY = "the same may do, later and slower"
    NO_ACCESS = "the credentials are wrong, or allow too little"
    FAILED = "something is broken there"
    REFUSED = "nothing will do but another question"


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer's meaning, and how to mend it."""

    meaning: Meaning
    hint: str


def read_refusal(status: int, kind: str, text: str) -> Reading:
    """What a status, the API's `errorType` and the server's words mean."""
    if status in {401, 403}:
        return Reading(Meaning.NO_ACCESS, _first(_ACCESS, text) or _NO_ACCESS)
    for pattern, reading in _WORDS:
        if pattern.search(text):
            return reading
    return _without_words(status, kind)


def _without_words(status: int, kind: str) -> Reading:
    if status == 413:
        return Reading(
            Meaning.TOO_LARGE, f"raise the limit of the proxy in front of the server, or {_NARROW}"
        )
    if kind == "timeout":
        return _TIMED_OUT
    if status in {429, 502, 503, 504} or kind == "canceled":
        return _BUSY
    if status >= 500:
        return Reading(Meaning.FAILED, "look into the server's log")
    if status == 404:
        return Reading(Meaning.REFUSED, "prometheus.url is the address in front of /api/v1")
    return Reading(Meaning.REFUSED, "see prometheus.matchers and prometheus.url")


def _first(table: tuple[tuple[re.Pattern[str], str], ...], text: str) -> str:
    return next((hint for pattern, hint in table if pattern.search(text)), "")


def _raise(*flags: str) -> str:
    return f"raise the server's {' or '.join(flags)}, or {_NARROW}"


_TIMED_OUT = Reading(
    Meaning.TIMED_OUT,
    f"raise the server's --query.timeout (VictoriaMetrics: -search.maxQueryDuration), or {_NARROW}",
)
_BUSY = Reading(Meaning.BUSY, "try again later, or lower prometheus.max_in_flight")

_NO_ACCESS = (
    "check prometheus.bearer_token_file, token_command, basic_auth, sigv4 and headers, and what they may read"
)
_ACCESS = tuple(
    (re.compile(pattern, re.IGNORECASE), hint)
    for pattern, hint in (
        (r"no org id|X-Scope-OrgID", "name the tenant: prometheus.headers: {X-Scope-OrgID: …}"),
        (
            r"aps:|security token|signature|authentication token",
            "check prometheus.sigv4, the clock, and that its role allows aps:QueryMetrics, aps:GetSeries and aps:GetLabels",
        ),
        (r"monitoring\.timeSeries", "give the account the role roles/monitoring.viewer in the project"),
    )
)

# The first that matches counts. Where a text is only known from a product's source or documents, a fault server says
# it in the tests; those of Prometheus 2.42 and VictoriaMetrics 1.79 were heard.
_WORDS: tuple[tuple[re.Pattern[str], Reading], ...] = tuple(
    (re.compile(pattern), Reading(meaning, hint))
    for pattern, meaning, hint in (
        # Length of time.
        (
            r"query time range exceeds the limit|err-mimir-max-(?:total-)?query-length",
            Meaning.TOO_LONG,
            "raise the server's -querier.max-partial-query-length or -query-frontend.max-total-query-length",
        ),
        (r"[Ii]nvalid time range|cannot exceed \d+ days", Meaning.TOO_LONG, "the service sets this limit"),
        # Prometheus.
        (r"load too many samples into memory", Meaning.TOO_LARGE, _raise("--query.max-samples")),
        (r"exceeded sample limit", Meaning.TOO_LARGE, _raise("--storage.remote.read-sample-limit")),
        (r"maximum resolution of", Meaning.TOO_LARGE, _NARROW),
        # Mimir and Cortex, each limit by its name.
        (
            r"maximum number of series \(limit|err-mimir-max-series-per-query|max number of series limit",
            Meaning.TOO_LARGE,
            _raise("-querier.max-fetched-series-per-query"),
        ),
        (
            r"aggregated (?:chunks|data) size limit|err-mimir-max-chunks-bytes-per-query",
            Meaning.TOO_LARGE,
            _raise("-querier.max-fetched-chunk-bytes-per-query"),
        ),
        (
            r"err-mimir-max-estimated-memory-consumption-per-query|estimated amount of memory consumed",
            Meaning.TOO_LARGE,
            _raise("-querier.max-estimated-memory-consumption-per-query"),
        ),
        (
            r"err-mimir-max-(?:estimated-)?chunks-per-query|max number of chunks limit|maximum number of chunks",
            Meaning.TOO_LARGE,
            _raise("-querier.max-fetched-chunks-per-query"),
        ),
        (r"err-mimir-max-\S+-per-query", Meaning.TOO_LARGE, _raise("limits per query")),
        (
            r"err-mimir-(?:query|request)-blocked|err-mimir-query-limited",
            Meaning.REFUSED,
            "the administrators of the server blocked this query",
        ),
        # Thanos' and Cortex's stores.
        (
            r"exceeded (?:series|chunks|bytes) limit|limit \d+ violated",
            Meaning.TOO_LARGE,
            _raise("--store.limits.request-series", "--store.limits.request-samples"),
        ),
        (r"message larger than max", Meaning.TOO_LARGE, _raise("limit of gRPC messages")),
        # VictoriaMetrics: its words name the flag.
        (
            r"number of matching time\s?series exceeds",
            Meaning.TOO_LARGE,
            _raise("-search.maxUniqueTimeseries", "-search.maxExportSeries"),
        ),
        (
            r"cannot (?:select|process) more than|-search\.max(?:PointsPerTimeseries|MemoryPerQuery)|not enough memory for",
            Meaning.TOO_LARGE,
            f"raise the flag of VictoriaMetrics that it names, or {_NARROW}",
        ),
        # Amazon.
        (
            r"max_samples_processed|samples processed",
            Meaning.TOO_LARGE,
            f"raise the workspace's limit of samples processed per query, or {_NARROW}",
        ),
        (r"consider simplifying your query", Meaning.TIMED_OUT, f"the service sets this limit; {_NARROW}"),
        # Load, not size: later is better than smaller.
        (
            r"cannot handle more than \d+ concurrent",
            Meaning.BUSY,
            "lower prometheus.max_in_flight, or raise the server's -search.maxConcurrentRequests",
        ),
        (
            r"err-mimir-(?:tenant-max-request-rate|\S+-max-inflight|store-consistency-check-failed)",
            Meaning.BUSY,
            _BUSY.hint,
        ),
        (r"too many outstanding requests|too_many_requests|query was canceled", Meaning.BUSY, _BUSY.hint),
        (r"ThrottlingException|Rate exceeded|RESOURCE_EXHAUSTED|Quota exceeded", Meaning.BUSY, _BUSY.hint),
        # Time; `expanding series: context deadline exceeded` comes as a 422 that looks like a wrong query.
        (
            r"query timed out|context deadline exceeded|DeadlineExceeded|timeout exceeded",
            Meaning.TIMED_OUT,
            _TIMED_OUT.hint,
        ),
        (
            r"unsupported path requested|missing route for",
            Meaning.REFUSED,
            "prometheus.url of a VictoriaMetrics cluster ends in /select/<account>/prometheus",
        ),
    )
)
