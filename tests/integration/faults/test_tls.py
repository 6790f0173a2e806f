"""A25, TLS against servers with certificates of a private authority: whom costlab trusts, and who trusts costlab."""

import ssl
import subprocess
from pathlib import Path

import pytest
from authority import Authority, Issued
from fault_server import FaultServer, drip, reply

from costlab.config.servers import Prometheus
from costlab.domain.errors import ConfigError, SourceUnavailable
from costlab.sources.prometheus.connection import open_session
from costlab.sources.prometheus.http import Client

HERE = "IP:127.0.0.1"


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"), "ours")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("theirs"), "theirs")


@pytest.fixture(scope="module")
def shown(ours: Authority) -> Issued:
    return ours.issue(HERE)


def answered(context: ssl.SSLContext, **settings: Path | None) -> bool:
    """Whether it gets its answer; raises what the client raises, when nothing was seen of the request."""
    with FaultServer(context).running() as server:
        found = Prometheus.model_validate({"url": server.url, "timeout": 5, **settings})
        client = Client(server.url, open_session(found), 5, sleep=lambda _: None)
        try:
            return bool(client.query("up", 0).data["resultType"] == "matrix")
        except SourceUnavailable:
            assert server.seen == []
            raise


def test_the_authority_that_is_named_is_trusted(ours: Authority, shown: Issued) -> None:
    assert answered(shown.server(), ca_file=ours.cert)


def test_the_deadline_holds_under_tls_as_well(ours: Authority, shown: Issued) -> None:
    with FaultServer(shown.server()).running() as server:
        server.answers(drip(reply()[0], 1, 0.05))  # type: ignore[arg-type]
        settings = Prometheus(url=server.url, ca_file=ours.cert)
        with pytest.raises(SourceUnavailable, match=r"did not answer within 0\.4 s"):
            Client(settings.url, open_session(settings), 0.4).query("up", 0)


def test_who_signs_for_itself_is_refused(theirs: Authority) -> None:
    alone = Issued(theirs.cert, theirs.cert.with_suffix(".key"))
    with pytest.raises(SourceUnavailable, match=r"TLS failed: .*self[- ]signed certificate") as fault:
        answered(alone.server())
    assert "prometheus.ca_file" in fault.value.hint


def test_another_authority_is_refused(theirs: Authority, shown: Issued) -> None:
    for trusted in (None, theirs.cert):
        with pytest.raises(SourceUnavailable, match=r"unable to get local issuer certificate") as fault:
            answered(shown.server(), ca_file=trusted)
        assert "prometheus.ca_file" in fault.value.hint


def test_a_certificate_that_has_expired_is_refused(ours: Authority) -> None:
    with pytest.raises(SourceUnavailable, match="certificate has expired") as fault:
        answered(ours.issue(HERE, days=-1).server(), ca_file=ours.cert)
    assert "renew the server's certificate" in fault.value.hint


@pytest.mark.parametrize("name", ["DNS:elsewhere.example", "IP:127.0.0.2"])
def test_a_certificate_of_another_host_is_refused(ours: Authority, name: str) -> None:
    with pytest.raises(SourceUnavailable, match="mismatch") as fault:
        answered(ours.issue(name).server(), ca_file=ours.cert)
    assert "prometheus.url" in fault.value.hint


def test_a_client_certificate_is_given_where_it_is_demanded(
    ours: Authority, shown: Issued, tmp_path: Path
) -> None:
    context, mine = shown.server(clients=ours.cert), ours.issue("DNS:costlab")
    assert answered(context, ca_file=ours.cert, client_cert=mine.cert, client_key=mine.key)
    both = tmp_path / "both.pem"
    both.write_bytes(mine.cert.read_bytes() + mine.key.read_bytes())
    assert answered(context, ca_file=ours.cert, client_cert=both)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_without_the_client_certificate_that_is_demanded_there_is_no_way_in(
    ours: Authority, theirs: Authority, shown: Issued, version: ssl.TLSVersion
) -> None:
    context = shown.server(clients=ours.cert)
    context.minimum_version = context.maximum_version = version
    foreign = theirs.issue("DNS:costlab")
    # With 1.3 the server's word comes after our request is sent: sometimes the connection is gone before it is read.
    said = "TLS failed: .*alert" if version is ssl.TLSVersion.TLSv1_2 else "TLS failed: |not reachable: "
    for given in ({}, {"client_cert": foreign.cert, "client_key": foreign.key}):
        with pytest.raises(SourceUnavailable, match=said) as fault:
            answered(context, ca_file=ours.cert, **given)
        assert "not reachable" in fault.value.message or "prometheus.client_cert" in fault.value.hint


def test_files_that_are_no_certificates_are_wrong_configuration(
    ours: Authority, theirs: Authority, shown: Issued, tmp_path: Path
) -> None:
    mine, foreign, locked = ours.issue("DNS:costlab"), theirs.issue("DNS:costlab"), tmp_path / "locked.key"
    subprocess.run(["openssl", "ec", "-in", mine.key, "-aes256", "-passout", "pass:s3cret", "-out", locked],
                   check=True, capture_output=True)  # fmt: skip
    for settings, said in (
        ({"ca_file": mine.key}, "ca_file: .* holds no certificate"),
        ({"client_cert": mine.cert}, "client_cert: .* are no certificate and its key"),
        ({"client_cert": mine.cert, "client_key": foreign.key}, "are no certificate and its key"),
        ({"client_cert": mine.cert, "client_key": locked}, "are no certificate and its key"),
        ({"client_cert": mine.key, "client_key": mine.key}, "are no certificate and its key"),
        ({"client_cert": mine.cert, "client_key": tmp_path / "none"}, "client_key: .*none cannot be read"),
    ):
        with pytest.raises(ConfigError, match=f"prometheus.*{said}") as fault:
            answered(shown.server(), **settings)
        assert fault.value.hint
