"""What a night pushes stands at a real Pushgateway as it was told, a group a cluster, and nothing of the night before."""

import re
from collections.abc import Iterator

import loopback
import pytest
import requests
from hostile import HOSTILE

from costlab.domain.metrics import METRICS, SAVING, Sample
from costlab.publish.metrics import push
from costlab.render.exposition import exposition

pytestmark = pytest.mark.prometheus

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = loopback.folder_of("pushgateway", "COSTLAB_PUSHGATEWAY_DIR")
    url = f"http://127.0.0.1:{loopback.free_port()}"
    command = [str(folder / "prometheus-pushgateway"), f"--web.listen-address={url.removeprefix('http://')}"]
    with loopback.serving(command, f"{url}/-/ready", tmp_path_factory.mktemp("gateway") / "log"):
        yield url


def held(gateway: str) -> Series:
    """Every series of costlab's that a scrape of the gateway would find, without what the gateway itself adds."""
    answer = requests.get(f"{gateway}/api/v1/metrics", timeout=10).json()
    assert answer["status"] == "success"
    return {
        (name, frozenset((each["labels"].items()) - {("job", "costlab"), ("instance", "")})): float(
            each["value"]
        )
        for group in answer["data"]
        for name, family in group.items()
        if isinstance(family, dict) and re.match("costlab_", name)
        for each in family["metrics"]
    }


def series(samples: list[Sample]) -> Series:
    return {(each.metric.name, frozenset(each.labels.items())): float(each.value) for each in samples}


def test_a_push_is_held_as_it_was_told_and_replaces_that_of_the_night_before(gateway: str) -> None:
    def told(cluster: str, teams: tuple[str, ...]) -> list[Sample]:
        plain = [each.sample(2, cluster, *["x"] * (len(each.labels) - 1)) for each in METRICS]
        return [*plain, *(SAVING.sample(place / 8, cluster, team, "USD") for place, team in enumerate(teams))]

    first, other, second = told("prod", HOSTILE), told("lab", ("nlp",)), told("prod", HOSTILE[:1])
    push(gateway, "prod", exposition(first))
    push(gateway, "lab", exposition(other))
    assert held(gateway) == series([*first, *other])
    push(gateway, "prod", exposition(second))
    assert held(gateway) == series([*second, *other])
