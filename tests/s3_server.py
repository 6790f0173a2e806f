"""A real object store on free loopback ports, SeaweedFS: it checks signatures and rights, and knows conditional puts."""

import json
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import loopback

OWNER = {"AWS_ACCESS_KEY_ID": "owner-key", "AWS_SECRET_ACCESS_KEY": "owner-secret"}
READER = {"AWS_ACCESS_KEY_ID": "reader-key", "AWS_SECRET_ACCESS_KEY": "reader-secret"}
REGION = "us-east-1"
SOCKETS = "/tmp"  # noqa: S108 - the server's own choice


def binaries() -> Path:
    """Folder of `weed`; raises loopback.NotThere."""
    return loopback.folder_of("seaweedfs", "COSTLAB_SEAWEEDFS_DIR")


@contextmanager
def serving(folder: Path, programs: Path) -> Iterator[str]:
    """Host and port of a store that keeps what it holds in a folder; it tells nobody that it runs."""
    users = folder / "users.json"
    users.write_text(
        json.dumps({"identities": [_user("owner", OWNER, "Admin"), _user("reader", READER, "Read", "List")]})
    )
    parts = ("master", "volume", "filer", "s3")
    ports = dict(zip([*parts, *(f"{part} grpc" for part in parts)], loopback.free_ports(8), strict=True))
    command = [
        str(programs / "weed"), "-logtostderr=true", "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        "-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=64", "-volume.preStopSeconds=0", "-filer",
        f"-filer.localSocket={folder / 'filer.sock'}", "-s3", f"-s3.localSocket={folder / 's3.sock'}", f"-s3.config={users}",
        "-s3.autoCreateBucket=false", "-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0",
        *(f"-{part}.port={ports[part]}" for part in parts), *(f"-{part}.port.grpc={ports[f'{part} grpc']}" for part in parts),
    ]  # fmt: skip
    host = f"127.0.0.1:{ports['s3']}"
    try:
        # Asked to end, it takes 15 s over it.
        with loopback.serving(command, f"http://{host}/healthz", folder / "weed.log", signal.SIGKILL):
            yield host
    finally:
        for part in parts:  # of each it makes one more socket, in a place that cannot be chosen
            Path(f"{SOCKETS}/seaweedfs-{part}-grpc-{ports[f'{part} grpc']}.sock").unlink(missing_ok=True)


def _user(name: str, credentials: Mapping[str, str], *actions: str) -> dict[str, object]:
    """Somebody whom the store knows."""
    key, secret = credentials["AWS_ACCESS_KEY_ID"], credentials["AWS_SECRET_ACCESS_KEY"]
    return {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": list(actions)}
