"""What was fetched of a day is kept to go on from, and forgotten when it may be what was wrong."""

from pathlib import Path

import pytest
from small_world import DAY, World

from costlab.config.settings import Settings
from costlab.domain.errors import NoDay, SourceUnavailable
from costlab.domain.signals import Series, Signal
from costlab.domain.time import Window
from costlab.jobs.measure import extract_day, measure_day
from costlab.store.lake import Lake


class Remembering(World):
    """A world that counts how often it was told to forget, and can break off at usage."""

    def __init__(self, *, breaks: bool = False) -> None:
        super().__init__()
        self.forgot = 0
        self._breaks = breaks

    def fetch(self, signal: Signal, window: Window) -> Series:
        if self._breaks and signal is Signal.CPU_SECONDS:
            raise SourceUnavailable("it broke off", "try again")
        return super().fetch(signal, window)

    def settled(self) -> None:
        self.forgot += 1


@pytest.mark.parametrize("measure", [measure_day, extract_day])
def test_what_was_fetched_is_forgotten_when_it_was_refused_or_is_forced(
    tmp_path: Path, measure: object
) -> None:
    settings, lake = Settings.model_validate({}), Lake.create(tmp_path)

    def night(world: Remembering, force: str | None = None) -> None:
        assert callable(measure)
        measure(world, lake, settings, "test", DAY, force=force)

    nobody, somebody = Remembering(), Remembering()
    with pytest.raises(NoDay):
        night(nobody)
    assert nobody.forgot == 1
    somebody.node().pod("runs").use("runs")
    night(somebody)
    assert somebody.forgot == 1
    night(somebody, force="it was wrong")  # before it is read, and when it is in the lake
    assert somebody.forgot == 3
    broken = Remembering(breaks=True)
    broken.node().pod("runs")
    with pytest.raises(SourceUnavailable):
        night(broken)
    assert broken.forgot == 0
