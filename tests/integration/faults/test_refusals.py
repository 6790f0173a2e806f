"""The words in which each product refuses, over HTTP as it sends them: what costlab makes of each, and whose flag mends it.

Those of Prometheus 2.42 and VictoriaMetrics 1.79 were heard from the servers themselves; the others stand in the
products' sources and documents.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from fault_server import FaultServer, Reply, api_error, reply

from costlab.config.servers import Prometheus
from costlab.domain.errors import SourceRefused, SourceUnavailable
from costlab.sources.prometheus.answer import (
    AccessRefused,
    GatewayTimedOut,
    MayPass,
    QueryTimedOut,
    QueryTooLarge,
    QueryTooLong,
)
from costlab.sources.prometheus.connection import open_session
from costlab.sources.prometheus.http import Client


@dataclass(frozen=True)
class Case:
    product: str
    status: str
    kind: str
    """The API's errorType; `text` and `message` are bodies without one."""
    words: str
    error: type[SourceRefused | SourceUnavailable]
    hint: str

    def reply(self) -> Reply:
        if self.kind == "text":
            return reply(self.status, self.words.encode(), "text/plain; charset=utf-8")
        if self.kind == "message":
            return reply(self.status, f'{{"message":"{self.words}"}}'.encode())
        return api_error(self.status, self.kind, self.words)


BAD, DENIED, FORBIDDEN = "400 Bad Request", "401 Unauthorized", "403 Forbidden"
UNPROCESSABLE, MANY, BROKEN = "422 Unprocessable Entity", "429 Too Many Requests", "500 Internal Server Error"
GATEWAY, UNAVAILABLE, LATE = "502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout"
PROMETHEUS, THANOS, MIMIR, CORTEX = "Prometheus", "Thanos", "Mimir", "Cortex"
VICTORIA, AMAZON, GOOGLE, PROXY = "VictoriaMetrics", "Amazon", "Google", "a proxy"
_ADJUST = "To adjust the related per-tenant limit, configure -x, or contact your service administrator."
_REQUEST = 'remoteAddr: "127.0.0.1:56280"; requestURI: /api/v1/export; '
_EXPORT = f"{_REQUEST}error when exporting data on the time range (start=0, end=1): "

CASES = [
    Case(PROMETHEUS, UNPROCESSABLE, "execution", "query processing would load too many samples into memory in query execution",
         QueryTooLarge, "--query.max-samples"),
    Case(PROMETHEUS, BAD, "text", "exceeded sample limit (100000)", QueryTooLarge, "--storage.remote.read-sample-limit"),
    Case(PROMETHEUS, BAD, "bad_data", "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
         QueryTooLarge, "prometheus.matchers"),
    Case(PROMETHEUS, UNAVAILABLE, "timeout", "query timed out in expression evaluation", QueryTimedOut, "--query.timeout"),
    Case(PROMETHEUS, UNAVAILABLE, "timeout", "query timed out in query queue", QueryTimedOut, "--query.timeout"),
    Case(PROMETHEUS, UNPROCESSABLE, "execution", "expanding series: context deadline exceeded", QueryTimedOut, "--query.timeout"),
    Case(PROMETHEUS, UNAVAILABLE, "canceled", "query was canceled in query execution", MayPass, "max_in_flight"),
    Case(PROMETHEUS, "499 Client Closed", "canceled", "query was canceled in query execution", MayPass, "max_in_flight"),
    Case(PROMETHEUS, UNAVAILABLE, "unavailable", "TSDB not ready", MayPass, "try again later"),
    Case(PROMETHEUS, BROKEN, "internal", "block is corrupt", SourceUnavailable, "server's log"),
    Case(PROMETHEUS, BAD, "bad_data", 'parse error: unexpected "}"', SourceRefused, "prometheus.matchers"),
    Case(PROMETHEUS, BAD, "text", "snappy: corrupt input", SourceRefused, "prometheus.url"),
    Case(PROMETHEUS, DENIED, "text", "Unauthorized", AccessRefused, "bearer_token_file"),
    Case(THANOS, UNPROCESSABLE, "execution", "expanding series: proxy Series(): rpc error: code = Aborted desc = receive series from "
         "Addr: store:10901: rpc error: code = ResourceExhausted desc = exceeded series limit: rpc error: code = ResourceExhausted desc = "
         "limit 500 violated (got 501)", QueryTooLarge, "--store.limits.request-series"),
    Case(THANOS, UNPROCESSABLE, "execution", "rpc error: code = ResourceExhausted desc = exceeded chunks limit: limit 10 violated (got 11)",
         QueryTooLarge, "--store.limits.request-samples"),
    Case(THANOS, BROKEN, "internal", "preload chunks: exceeded bytes limit while fetching chunks: limit 1 violated (got 2)", QueryTooLarge, "--store"),
    Case(THANOS, UNPROCESSABLE, "execution", "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (5 vs. 4)",
         QueryTooLarge, "gRPC"),
    Case(THANOS, UNPROCESSABLE, "execution", "rpc error: code = DeadlineExceeded desc = stream terminated", QueryTimedOut, "--query.timeout"),
    Case(MIMIR, UNPROCESSABLE, "execution", f"the query exceeded the maximum number of series (limit: 1 series) (err-mimir-max-series-per-query). {_ADJUST}",
         QueryTooLarge, "-querier.max-fetched-series-per-query"),
    Case(MIMIR, UNPROCESSABLE, "execution", f"the query exceeded the maximum number of chunks (limit: 9 chunks) (err-mimir-max-chunks-per-query). {_ADJUST}",
         QueryTooLarge, "-querier.max-fetched-chunks-per-query"),
    Case(MIMIR, UNPROCESSABLE, "execution", "the estimated number of chunks for the query exceeded the maximum allowed (limit: 9 chunks) "
         "(err-mimir-max-estimated-chunks-per-query)", QueryTooLarge, "-querier.max-fetched-chunks-per-query"),
    Case(MIMIR, UNPROCESSABLE, "execution", "the query exceeded the aggregated chunks size limit (limit: 9 bytes) (err-mimir-max-chunks-bytes-per-query)",
         QueryTooLarge, "-querier.max-fetched-chunk-bytes-per-query"),
    Case(MIMIR, UNPROCESSABLE, "execution", "the query exceeded the maximum allowed estimated amount of memory consumed by a single query "
         "(limit: 11 bytes) (err-mimir-max-estimated-memory-consumption-per-query)", QueryTooLarge, "-querier.max-estimated-memory"),
    Case(MIMIR, BAD, "text", "the query exceeded the maximum number of series (limit: 1 series) (err-mimir-max-series-per-query)",
         QueryTooLarge, "-querier.max-fetched-series-per-query"),
    Case(MIMIR, UNPROCESSABLE, "bad_data", "the query time range exceeds the limit (query length: 721h, limit: 720h) (err-mimir-max-query-length)",
         QueryTooLong, "-querier.max-partial-query-length"),
    Case(MIMIR, UNPROCESSABLE, "bad_data", "the total query time range exceeds the limit (query length: 9h, limit: 8h) (err-mimir-max-total-query-length)",
         QueryTooLong, "-query-frontend.max-total-query-length"),
    Case(MIMIR, MANY, "too_many_requests", "the request has been rejected because the tenant exceeded the request rate limit, set to 1 requests/s "
         "across all distributors with a maximum allowed burst of 1 (err-mimir-tenant-max-request-rate)", MayPass, "max_in_flight"),
    Case(MIMIR, MANY, "text", "too many outstanding requests", MayPass, "max_in_flight"),
    Case(MIMIR, BROKEN, "internal", "failed to fetch some blocks (err-mimir-store-consistency-check-failed)", MayPass, "try again later"),
    Case(MIMIR, UNPROCESSABLE, "execution", "the request has been blocked by the cluster administrator (err-mimir-query-blocked)",
         SourceRefused, "administrators"),
    Case(MIMIR, DENIED, "text", "no org id", AccessRefused, "X-Scope-OrgID"),
    Case(CORTEX, UNPROCESSABLE, "execution", "the query hit the max number of chunks limit (limit: 9 chunks)", QueryTooLarge, "-querier.max-fetched-chunks"),
    Case(CORTEX, UNPROCESSABLE, "execution", "the query hit the max number of series limit (limit: 9 series)", QueryTooLarge, "-querier.max-fetched-series"),
    Case(CORTEX, UNPROCESSABLE, "execution", "the query hit the aggregated data size limit (limit: 9 bytes)", QueryTooLarge, "-querier.max-fetched-chunk-bytes"),
    Case(CORTEX, UNPROCESSABLE, "execution", "the query time range exceeds the limit (query length: 9h, limit: 8h)", QueryTooLong, "query-length"),
    Case(VICTORIA, UNPROCESSABLE, "422", "cannot select more than -search.maxSamplesPerQuery=10 samples; possible solutions: to increase "
         "the -search.maxSamplesPerQuery; to reduce time range for the query", QueryTooLarge, "flag of VictoriaMetrics"),
    Case(VICTORIA, BAD, "text", _EXPORT + "cannot select more than -search.maxSamplesPerQuery=10 samples", QueryTooLarge, "flag of VictoriaMetrics"),
    Case(VICTORIA, BAD, "text", _EXPORT + "error when searching tsids: the number of matching timeseries exceeds 3; either narrow down the search "
         "or increase -search.max* command-line flag values at vmselect", QueryTooLarge, "-search.maxExportSeries"),
    Case(VICTORIA, BAD, "text", _EXPORT + "error during time series unpacking: cannot process more than 5 samples per series; either increase "
         "-search.maxSamplesPerSeries or reduce time range for the query", QueryTooLarge, "flag of VictoriaMetrics"),
    Case(VICTORIA, UNPROCESSABLE, "422", "too many points for the given step=500, start=1 and end=2: 172741; cannot exceed "
         "-search.maxPointsPerTimeseries=30000", QueryTooLarge, "flag of VictoriaMetrics"),
    Case(VICTORIA, UNPROCESSABLE, "422", "timeout exceeded while fetching data block #7 from storage: 30.000 seconds; the timeout can be adjusted with "
         "`-search.maxQueryDuration` command-line flag", QueryTimedOut, "-search.maxQueryDuration"),
    Case(VICTORIA, UNAVAILABLE, "text", "cannot handle more than 8 concurrent search requests during 10s; possible solutions: increase "
         "`-search.maxQueueDuration`; increase `-search.maxQueryDuration`; increase `-search.maxConcurrentRequests`", MayPass, "-search.maxConcurrentRequests"),
    Case(VICTORIA, BAD, "text", 'requestURI: /api/v1/read; unsupported path requested: "/api/v1/read"', SourceRefused, "/select/<account>/prometheus"),
    Case(AMAZON, UNPROCESSABLE, "execution", "query timed out - consider simplifying your query", QueryTimedOut, "the service sets this limit"),
    Case(AMAZON, BAD, "message", "Invalid time range. The start and end of the query cannot exceed 32 days", QueryTooLong, "the service"),
    Case(AMAZON, UNPROCESSABLE, "execution", "the query hit the max number of chunks limit while fetching chunks from ingesters", QueryTooLarge, "chunks"),
    Case(AMAZON, MANY, "message", "Rate exceeded", MayPass, "max_in_flight"),
    Case(AMAZON, FORBIDDEN, "message", "Missing Authentication Token", AccessRefused, "prometheus.sigv4"),
    Case(AMAZON, FORBIDDEN, "message", "The security token included in the request is expired", AccessRefused, "prometheus.sigv4"),
    Case(AMAZON, FORBIDDEN, "message", "The request signature we calculated does not match the signature you provided", AccessRefused, "the clock"),
    Case(GOOGLE, FORBIDDEN, "forbidden", "Permission monitoring.timeSeries.list denied (or the resource may not exist).", AccessRefused, "roles/monitoring.viewer"),
    Case(GOOGLE, MANY, "message", "Quota exceeded for quota metric 'Time series queries'", MayPass, "max_in_flight"),
    Case(GOOGLE, DENIED, "text", "Request had invalid authentication credentials.", AccessRefused, "token_command"),
    Case(PROXY, "413 Payload Too Large", "text", "too large", QueryTooLarge, "proxy"),
    Case(PROXY, GATEWAY, "text", "<html>502 Bad Gateway</html>", MayPass, "try again later"),
    Case(PROXY, LATE, "text", "<html>504 Gateway Time-out</html>", GatewayTimedOut, "try again later"),
    Case(PROXY, UNAVAILABLE, "text", "upstream connect error or disconnect/reset before headers. reset reason: connection timeout", MayPass, "later"),
    Case(PROXY, LATE, "timeout", "context deadline exceeded", QueryTimedOut, "--query.timeout"),
]  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as running:
        yield running


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.product}: {case.words[:60]}")
def test_it_is_understood_and_asked_again_only_if_that_helps(server: FaultServer, case: Case) -> None:
    server.seen.clear()
    server.answers(case.reply())
    client = Client(server.url, open_session(Prometheus(url=server.url)), 10, sleep=lambda _: None)
    with pytest.raises((SourceRefused, SourceUnavailable)) as fault:
        client.query("up[2h]", 1000)
    assert (type(fault.value), case.hint in fault.value.hint) == (case.error, True), (
        fault.value.message,
        fault.value.hint,
    )
    assert server.host in fault.value.message
    assert case.words.removeprefix(_REQUEST).split(":")[0][:40] in fault.value.message
    assert len(server.seen) == (3 if issubclass(case.error, MayPass) else 1)


def test_the_api_may_refuse_in_a_success(server: FaultServer) -> None:
    """As VictoriaMetrics does in the middle of an answer that it has begun."""
    server.answers(api_error("200 OK", "422", "cannot process more than 5 samples per series"))
    client = Client(server.url, open_session(Prometheus(url=server.url)), 10)
    with pytest.raises(QueryTooLarge):
        client.query("up", 0)
