"""The big day as blocks in a folder: made once, by a real Prometheus, and used again."""

import json
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from pathlib import Path

from big_day.cast import Scale, cast_of
from big_day.kube_state import facts_of
from big_day.remote_write import Encoded, encode, write
from big_day.samples import NOISY, container_series, gpu_series
from big_day.server import CHECKOUT, direct, serving
from costlab.domain.time import HOUR_MS

_COMPACTED_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class BigDay:
    """Where the blocks are, and what they hold: series and samples by noisy metric, and samples of all others."""

    folder: Path
    scale: Scale
    series: Mapping[str, int]
    samples: Mapping[str, int]
    further_samples: int

    @property
    def noisy_samples(self) -> int:
        """How many samples the benchmark's figures count."""
        return sum(self.samples.values())


def kept_under() -> Path:
    """$COSTLAB_BENCH_DIR, else a folder beside the sources that git ignores."""
    return Path(os.environ.get("COSTLAB_BENCH_DIR", CHECKOUT / ".tools" / "bench"))


def big_day(scale: Scale, under: Path) -> BigDay:
    """The day at this scale, made where the folder does not hold it yet; sources that changed make it anew."""
    sources = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    folder = under / f"day-{sha256(sources + repr(scale).encode()).hexdigest()[:12]}"
    if not folder.exists():
        under.mkdir(parents=True, exist_ok=True)
        for outdated in under.glob("day-*"):
            shutil.rmtree(outdated)
        work = Path(tempfile.mkdtemp(prefix=".making-", dir=under))
        try:
            (work / "manifest.json").write_text(json.dumps(_make(scale, work)))
            work.rename(folder)
        except BaseException:
            shutil.rmtree(work)
            raise
    return BigDay(folder, scale, **json.loads((folder / "manifest.json").read_text()))


def _make(scale: Scale, folder: Path) -> Mapping[str, object]:
    """Has a Prometheus write the blocks into `tsdb`; what they hold."""
    cast = cast_of(scale)
    series, samples = Counter[str](), Counter[str]()

    def encoded() -> Iterator[Encoded]:
        for one in chain(container_series(cast), gpu_series(cast)):
            series[one.labels["__name__"]] += 1
            samples[one.labels["__name__"]] += len(one.at_ms)
            yield encode(one, scale.window)

    with serving(folder, "--web.enable-remote-write-receiver", "--web.enable-admin-api") as server:
        told = write(server.url, scale.window, encoded(), facts_of(cast))
        _wait_until_compacted(server.url, scale)
        with direct() as session:
            answer = session.post(f"{server.url}/api/v1/admin/tsdb/snapshot", timeout=120)
        answer.raise_for_status()
        snapshot = folder / "tsdb" / "snapshots" / answer.json()["data"]["name"]
    snapshot.rename(folder / "blocks")
    shutil.rmtree(folder / "tsdb")
    (folder / "blocks").rename(folder / "tsdb")
    noisy = {metric: samples[metric] for metric in NOISY}
    return {
        "series": {metric: series[metric] for metric in NOISY},
        "samples": noisy,
        "further_samples": sum(samples.values()) - sum(noisy.values()) + told,
    }


def _wait_until_compacted(url: str, scale: Scale) -> None:
    """Until only the last two hours are in the server's head: a snapshot makes one block of a head."""
    deadline = time.monotonic() + _COMPACTED_WITHIN_S
    with direct() as session:
        while time.monotonic() < deadline:
            answer = session.get(f"{url}/api/v1/status/tsdb", timeout=30)
            if answer.json()["data"]["headStats"]["minTime"] >= scale.window.end_ms - 2 * HOUR_MS:
                return
            time.sleep(0.2)
    raise RuntimeError("the server did not compact its head")
