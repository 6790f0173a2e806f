"""Lakes that benchmarks keep are made anew when they would no longer be what costlab reads."""

from pathlib import Path

import pytest
from keeping import lakes

from costlab.domain.tables import TABLES


def test_a_lake_is_kept_until_a_table_or_its_source_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSTLAB_BENCH_DIR", str(tmp_path / "bench"))
    source = tmp_path / "world.py"
    source.write_text("one")
    first = lakes.kept("some", tmp_path, source)
    (first / "made").touch()
    other = lakes.kept("other", tmp_path, source)
    assert lakes.kept("some", tmp_path, source) == first
    source.write_text("two")
    second = lakes.kept("some", tmp_path, source)
    assert (first.exists(), second.exists(), list(second.iterdir())) == (False, True, [])
    monkeypatch.setattr("keeping.lakes.TABLES", dict(list(TABLES.items())[1:]))
    assert lakes.kept("some", tmp_path, source) != second
    assert other.exists()
