"""Amazon's signature: computed once more from its published algorithm, and never without a body's hash."""

import hashlib
import hmac
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from fault_server import FaultServer, Request, Teller, reply, success

from costlab.config.servers import Prometheus, SigV4
from costlab.domain.errors import ConfigError, SourceError, SourceUnavailable
from costlab.domain.time import Window
from costlab.sources.prometheus.answer import AccessRefused
from costlab.sources.prometheus.connection import Connection, open_session
from costlab.sources.prometheus.http import Client
from costlab.sources.prometheus.selector import Matcher, Operator, Selector

ID, KEY, TOKEN = "AKIDEXAMPLE", "wJalr/XUtnFEMI+secret-key", "session/token+that=is-secret"


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as running:
        yield running


@pytest.fixture(autouse=True)
def _amazon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)


def settings(server: FaultServer, path: str = "/workspaces/ws-1", **sigv4: str) -> Prometheus:
    return Prometheus(url=server.url + path, sigv4=SigV4(region="eu-central-1", **sigv4))


def signature(request: Request, key: str, region: str, service: str) -> str:
    """The Authorization header that the published algorithm gives for what the server received."""
    method, target, _ = request.line.split()
    parts, given = urlsplit(target), request.headers["authorization"]
    signed = given.partition("SignedHeaders=")[2].partition(",")[0]
    pairs = sorted(parts.query.split("&")) if parts.query else []
    canonical = "\n".join(
        [
            method,
            quote(parts.path, safe="/-_.~"),  # what is encoded already is encoded once more
            "&".join(pair if "=" in pair else f"{pair}=" for pair in pairs),
            *(f"{name}:{' '.join(request.headers[name].split())}" for name in signed.split(";")),
            "",
            signed,
            hashlib.sha256(request.body.encode()).hexdigest(),
        ]
    )
    at = request.headers["x-amz-date"]
    scope = f"{at[:8]}/{region}/{service}/aws4_request"
    secret = f"AWS4{key}".encode()
    for part in scope.split("/"):
        secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
    text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    made = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
    return f"AWS4-HMAC-SHA256 Credential={ID}/{scope}, SignedHeaders={signed}, Signature={made}"


@pytest.mark.parametrize("path", ["/workspaces/ws-1", "/workspaces/ws%201/a+b", ""])
@pytest.mark.parametrize("token", [None, TOKEN])
def test_the_signature_is_the_published_algorithms(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch, path: str, token: str | None
) -> None:
    if token:
        monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    found = settings(server, path)
    client, doctor = Client(found.url, open_session(found), 5), Connection(found)
    client.query('kube_pod_info{pod=~"a b|ü&c=d%2F"}[7200000ms]', 1_795_000_000_123)
    server.answers(success('{"status":"success","data":[]}'))
    doctor.metrics(Selector("up", (Matcher("a", Operator.MATCHES, "a b|ü"),)), Window(0, 1))
    client.ask("api/v1/label/namespace/values?match%5B%5D=up&end=1&start=0.5")
    doctor.close()
    assert [request.line.partition(" ")[0] for request in server.seen] == ["POST", "GET", "GET"]
    for request in server.seen:
        assert request.headers["authorization"] == signature(request, KEY, "eu-central-1", "aps")
        assert request.headers.get("x-amz-security-token") == token
        # What a proxy may change on the way is not signed.
        assert "user-agent" not in request.headers["authorization"]
        assert "connection" not in request.headers["authorization"]
    assert "content-type;host;x-amz-date" in server.seen[0].headers["authorization"]


def test_the_check_notices_another_body(server: FaultServer) -> None:
    found = settings(server)
    Client(found.url, open_session(found), 5).query("up", 0)
    (request,) = server.seen
    changed = Request(request.line, request.headers, request.body.replace("up", "down"))
    assert request.headers["authorization"] == signature(request, KEY, "eu-central-1", "aps")
    assert request.headers["authorization"] != signature(changed, KEY, "eu-central-1", "aps")


def test_a_profile_and_another_service_are_taken(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    (tmp_path / "credentials").write_text(
        f"[night]\naws_access_key_id = {ID}\naws_secret_access_key = other\n"
    )
    found = settings(server, profile="night", service="execute-api")
    Client(found.url, open_session(found), 5).query("up", 0)
    (request,) = server.seen
    assert request.headers["authorization"] == signature(request, "other", "eu-central-1", "execute-api")


def test_without_credentials_or_package_it_says_what_to_do(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=r"sigv4\.profile: .* no profile 'none'"):
        open_session(settings(server, profile="none"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(ConfigError, match="no Amazon credentials were found") as fault:
        open_session(settings(server))
    assert "role" in fault.value.hint
    monkeypatch.setitem(sys.modules, "botocore", None)
    monkeypatch.setitem(sys.modules, "botocore.auth", None)
    with pytest.raises(ConfigError, match="needs the package botocore") as fault:
        open_session(settings(server))
    assert fault.value.hint == "pip install costlab[aws]"


def test_credentials_that_cannot_be_renewed_are_told_by_their_kind(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    (tmp_path / "config").write_text(
        f"[default]\ncredential_process = sh -c 'echo {TOKEN} >&2; echo {TOKEN}; exit 3'\n"
    )
    with pytest.raises(SourceUnavailable, match="cannot be used: CredentialRetrievalError") as fault:
        open_session(settings(server))
    assert TOKEN not in fault.value.message + fault.value.hint
    assert fault.value.__suppress_context__


def telling(status: str) -> Teller:
    """Replies with what was sent, as Amazon does when it tells what it would have signed."""
    return lambda request: reply(status, str(request.headers).encode(), "text/plain")


def test_nothing_of_the_signature_is_shown(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    caplog.set_level(logging.DEBUG)
    found = settings(server)
    client = Client(found.url, open_session(found), 5, sleep=lambda _: None)
    for status in ("403 Forbidden", "400 Bad Request", "500 Broken"):
        server.answers(telling(status))
        with pytest.raises(SourceError) as fault:
            client.query("up", 0)
        sent = server.seen[-1].headers
        shown = fault.value.message + fault.value.hint + caplog.text + repr(found)
        for secret in (
            ID,
            KEY,
            TOKEN,
            quote(TOKEN, safe=""),
            sent["authorization"].partition("Signature=")[2],
        ):
            assert secret not in shown
    assert len(server.seen) == 3


def test_access_denied_names_what_the_role_needs(server: FaultServer) -> None:
    words = (
        "User: arn:aws:sts::1:assumed-role/x is not authorized to perform: aps:QueryMetrics on resource: arn"
    )
    server.answers(reply("403 Forbidden", f'{{"message":"{words}"}}'.encode()))
    found = settings(server)
    with pytest.raises(AccessRefused, match="not authorized to perform: aps:QueryMetrics") as fault:
        Client(found.url, open_session(found), 5).query("up", 0)
    assert "aps:GetSeries" in fault.value.hint
