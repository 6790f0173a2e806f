"""An authority of the tests' own, its certificates, and servers that show them."""

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


@dataclass(frozen=True)
class Issued:
    """A certificate and its key."""

    cert: Path
    key: Path

    def server(self, clients: Path | None = None) -> ssl.SSLContext:
        """A server's side that shows this certificate; `clients`: the authority whose clients alone it lets in."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients)
        return context


class Authority:
    """Signs certificates; `cert` is what its friends trust."""

    def __init__(self, folder: Path, name: str) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("openssl makes the certificates")
        self.cert, self._key = folder / f"{name}.pem", folder / f"{name}.key"
        self._folder = folder
        _openssl("req", "-x509", *_KEY, "-keyout", self._key, "-out", self.cert, "-days", "2", "-subj", f"/CN={name}",
                 "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")  # fmt: skip

    def issue(self, subject: str, days: int = 2) -> Issued:
        """A certificate for a name such as IP:127.0.0.1; with -1 day it has expired."""
        place = self._folder / f"{self.cert.stem}-{subject.replace(':', '-')}-{days}"
        issued = Issued(Path(f"{place}.pem"), Path(f"{place}.key"))
        request, names = Path(f"{place}.csr"), Path(f"{place}.names")
        names.write_text(f"subjectAltName={subject}\n")
        _openssl("req", "-new", *_KEY, "-keyout", issued.key, "-out", request, "-subj", "/CN=test")
        _openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self._key, "-CAcreateserial",
                 "-days", str(days), "-extfile", names, "-out", issued.cert)  # fmt: skip
        return issued


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
