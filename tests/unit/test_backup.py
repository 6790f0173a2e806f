"""A backup is the lake at one moment; it comes back whole and verified, or not at all."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_lake import DAY, findings, replace_day, usage

from costlab.domain.errors import Busy, ConfigError, CostlabError, LakeError, LakeFull
from costlab.domain.time import Day
from costlab.jobs.backup import backup, vault_at
from costlab.jobs.restore import restore
from costlab.store import backup as module
from costlab.store import durable
from costlab.store.lake import Lake
from costlab.store.manifest import read_manifest, stamps
from costlab.store.vault import Folder

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


@cache
def _made(days: int) -> tuple[TemporaryDirectory[str], Path]:
    """A lake to copy from, and what keeps its folder."""
    folder = TemporaryDirectory()
    lake, day = Lake.create(Path(folder.name) / "lake"), DAY
    for watt in range(days):
        replace_day(lake, {"findings": findings("a", day=day), "gpu_usage": usage(watt, day=day)}, day)
        day = day.next
    return folder, Path(str(lake.path))


def filled(path: Path, days: int = 2) -> Lake:
    """A lake with some days."""
    shutil.copytree(_made(days)[1], path)
    return Lake.open(path)


def told(lake: Lake) -> dict[str, Any]:
    """All that a reader can learn of it."""
    rows = [lake.read("gpu_usage", "prod", Day(day)).to_pylist() for day in lake.days("prod")]
    return {"states": lake.states(), "rows": str(rows), "run": lake.run("prod", DAY), "zone": lake.timezone}


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".lock" not in path.name
    }


def blob(vault: Path, path: str) -> Path:
    """Where the bytes of the first file whose path begins so lie."""
    items = read_manifest(Folder(vault)).items
    return vault / next(item.name for item in items if item.path.startswith(path))


def test_a_lake_comes_back_as_it_was_and_goes_on(tmp_path: Path) -> None:
    lake, vault = filled(tmp_path / "lake"), str(tmp_path / "vault")
    replace_day(lake, {"findings": findings("b"), "gpu_usage": usage(9)})  # leaves files that no table lists
    before = told(lake)
    said = backup(lake, vault, NOON, None)
    assert said.startswith(f"backed up {lake.path} as 2026-11-26T12-00-00Z: 2 days, ")
    replace_day(lake, {"findings": findings("later"), "gpu_usage": usage(1, 2, 3)})
    assert restore(vault, tmp_path / "back", None, dry_run=True).startswith("sound, and nothing was written")
    assert not (tmp_path / "back").exists()
    restore(vault, tmp_path / "back", None, dry_run=False)
    back = Lake.open(tmp_path / "back")
    assert told(back) == before
    listed = {file for files in back.readable_files().values() for file in files}
    assert set(back.path.rglob("*.parquet")) == listed, "what no table lists is not copied"
    replace_day(back, {"findings": findings("c"), "gpu_usage": usage(7)})
    assert told(back) != before


def test_a_second_backup_copies_only_what_is_new_and_each_comes_back(tmp_path: Path) -> None:
    lake, vault = filled(tmp_path / "lake"), tmp_path / "vault"
    first = told(lake)
    backup(lake, str(vault), NOON, None)
    held = set(content(vault))
    assert "new: 0 files" in backup(lake, str(vault), NOON + timedelta(hours=1), None)
    assert len(set(content(vault)) - held) == 1, "the manifest"
    replace_day(lake, {"findings": findings("b", day=DAY.next.next)}, DAY.next.next)
    held = set(content(vault))
    backup(lake, str(vault), NOON + timedelta(hours=2), None)
    new = set(content(vault)) - held
    assert len(new) == 1 + 2 + 2, "manifest; findings and runs: a file and a log entry each"
    restore(str(vault), tmp_path / "old", stamps(Folder(vault))[0], dry_run=False)
    restore(str(vault), tmp_path / "new", None, dry_run=False)
    assert told(Lake.open(tmp_path / "old")) == first
    assert told(Lake.open(tmp_path / "new")) == told(lake)


def test_only_the_newest_backups_are_kept_and_stay_whole(tmp_path: Path) -> None:
    lake, vault = filled(tmp_path / "lake", 1), tmp_path / "vault"
    said = ""
    for hour in range(4):
        replace_day(lake, {"findings": findings("a"), "gpu_usage": usage(hour)})
        said = backup(lake, str(vault), NOON + timedelta(hours=hour), 2)
        for at in stamps(Folder(vault)):
            assert restore(str(vault), tmp_path / "x", at, dry_run=True)
    assert stamps(Folder(vault)) == ["2026-11-26T14-00-00Z", "2026-11-26T15-00-00Z"]
    assert said.endswith("of earlier backups 2 files were deleted"), (
        "the usage and the run of the second hour"
    )
    held = {item.name for at in stamps(Folder(vault)) for item in read_manifest(Folder(vault), at).items}
    assert set(Folder(vault).names("files")) == held


@pytest.mark.parametrize("harm", ["missing", "cut", "flipped"])
@pytest.mark.parametrize("of", ["gpu_usage/cluster", "runs/_delta_log", "lake.json"])
def test_a_damaged_backup_is_named_and_puts_no_lake_in_place(tmp_path: Path, harm: str, of: str) -> None:
    lake, vault, back = filled(tmp_path / "lake"), tmp_path / "vault", tmp_path / "back"
    backup(lake, str(vault), NOON, None)
    file = blob(vault, of)
    sound = file.read_bytes()
    harmed = {"cut": sound[:-1], "flipped": bytes([*sound[:-1], sound[-1] ^ 1])}
    file.unlink() if harm == "missing" else file.write_bytes(harmed[harm])
    for dry_run in (True, False):
        with pytest.raises(
            LakeError, match=rf"backup of 2026-11-26T12-00-00Z in .* is damaged: {of}"
        ) as told_of:
            restore(str(vault), back, None, dry_run=dry_run)
        assert told_of.value.exit_code == 6
        with pytest.raises(CostlabError, match="no lake at"):
            Lake.open(back)
    # The next backup puts right what is missing or cut; what was flipped has to be found first.
    if harm != "flipped":
        backup(lake, str(vault), NOON + timedelta(hours=1), None)
        restore(str(vault), back, None, dry_run=False)
        assert told(Lake.open(back)) == told(lake)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[: len(text) // 2], "is damaged"),
        (lambda text: text.replace('"days": 2', '"days": 3'), "not as it was written"),
        (lambda text: text.replace('"format": 2', '"format": 3'), "newer costlab"),
        (lambda text: text[:0] + "[]", "is damaged"),
    ],
)
def test_a_manifest_that_does_not_vouch_for_itself_is_refused(tmp_path: Path, change: Any, said: str) -> None:
    lake, vault = filled(tmp_path / "lake", 2), tmp_path / "vault"
    backup(lake, str(vault), NOON, None)
    backup(lake, str(vault), NOON + timedelta(hours=1), None)
    newest = vault / "manifests" / "2026-11-26T13-00-00Z.json"
    newest.write_text(change(newest.read_text()))
    with pytest.raises(LakeError, match=said):
        restore(str(vault), tmp_path / "back", None, dry_run=False)
    with pytest.raises(LakeError, match=said):
        backup(lake, str(vault), NOON + timedelta(hours=2), 1)
    restore(str(vault), tmp_path / "back", "2026-11-26T12-00-00Z", dry_run=False)


def test_a_manifest_that_names_a_file_outside_is_refused(tmp_path: Path) -> None:
    from costlab.store.manifest import Item, Manifest

    vault = Folder(tmp_path / "vault")
    Manifest("2026-11-26T12-00-00Z", "0", 1, (Item("runs/../../x", 1, "a" * 64),)).write(vault)
    with pytest.raises(LakeError, match="not as it was written"):
        restore(str(vault), tmp_path / "back", None, dry_run=False)


def test_a_lake_is_never_restored_over_anything(tmp_path: Path) -> None:
    lake, vault = filled(tmp_path / "lake"), str(tmp_path / "vault")
    with pytest.raises(ConfigError, match="no backup in"):
        restore(vault, tmp_path / "back", None, dry_run=False)
    backup(lake, vault, NOON, None)
    before = content(Path(str(lake.path)))
    with pytest.raises(ConfigError, match="there is a lake at"):
        restore(vault, lake.path, None, dry_run=False)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes").write_text("mine")
    with pytest.raises(ConfigError, match="is not empty: notes"):
        restore(vault, tmp_path / "full", None, dry_run=False)
    assert (content(Path(str(lake.path))), content(tmp_path / "full")) == (before, {"notes": b"mine"})
    with pytest.raises(ConfigError, match="no backup 2026-01-01") as caught:
        restore(vault, tmp_path / "back", "2026-01-01", dry_run=False)
    assert "2026-11-26T12-00-00Z" in caught.value.hint
    for inside in (lake.path / "vault", lake.path, tmp_path):
        with pytest.raises(ConfigError, match="in each other"):
            vault_at(str(inside), lake.path)


def test_a_file_that_was_damaged_since_is_noticed_and_the_backup_stays_sound(tmp_path: Path) -> None:
    lake, vault = filled(tmp_path / "lake"), tmp_path / "vault"
    before = told(lake)
    backup(lake, str(vault), NOON, None)
    [file, _] = lake.readable_files()["gpu_usage"]
    bytes_ = file.read_bytes()
    file.write_bytes(bytes([*bytes_[:50], bytes_[50] ^ 4, *bytes_[51:]]))
    with pytest.raises(LakeError, match="it was damaged, or this is another lake"):
        backup(lake, str(vault), NOON + timedelta(hours=1), None)
    assert stamps(Folder(vault)) == ["2026-11-26T12-00-00Z"]
    restore(str(vault), tmp_path / "back", None, dry_run=False)
    assert told(Lake.open(tmp_path / "back")) == before


def emptied(lake: Lake) -> None:
    [*_, file] = lake.readable_files()["gpu_usage"]
    Path(str(file)).write_bytes(b"")


def without(name: str, entry: int | None) -> Callable[[Lake], None]:
    """A table that is gone, or one entry of its log."""

    def harm(lake: Lake) -> None:
        log = Path(str(lake.path)) / name / "_delta_log"
        if entry is None:
            shutil.rmtree(log.parent)
        else:
            (log / f"{entry:020}.json").unlink()

    return harm


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (emptied, "has 0 bytes instead of "),
        (without("findings", None), f"findings/_delta_log/{0:020}.json is gone, and the backup of 2026-11-26T12"),
        (without("runs", None), f"runs/_delta_log/{0:020}.json is gone"),
        (without("gpu_usage", 2), f"gpu_usage/_delta_log/{2:020}.json is gone"),
    ],
)  # fmt: skip
def test_a_lake_that_lost_something_does_not_drive_its_sound_backups_out(
    tmp_path: Path, harm: Callable[[Lake], None], said: str
) -> None:
    """What was cut before any backup held it is told by its size; a table that is not there at all, by its log."""
    lake, vault = filled(tmp_path / "lake", 1), tmp_path / "vault"
    day = DAY.next
    if harm is not emptied:
        replace_day(lake, {"findings": findings("a", day=day), "gpu_usage": usage(1, day=day)}, day)
    backup(lake, str(vault), NOON, None)
    before = told(lake)
    if harm is emptied:
        replace_day(lake, {"findings": findings("a", day=day), "gpu_usage": usage(1, day=day)}, day)
    harm(lake)
    for hour in (1, 2):
        with pytest.raises(LakeError, match=re.escape(said)):
            backup(Lake.open(lake.path), str(vault), NOON + timedelta(hours=hour), 1)
    assert stamps(Folder(vault)) == ["2026-11-26T12-00-00Z"]
    restore(str(vault), tmp_path / "back", None, dry_run=False)
    assert told(Lake.open(tmp_path / "back")) == before


def test_a_lake_of_which_a_cut_file_is_in_no_backup_yet_has_none(tmp_path: Path) -> None:
    lake, vault = filled(tmp_path / "lake"), tmp_path / "vault"
    emptied(lake)
    with pytest.raises(LakeError, match="has 0 bytes instead of") as caught:
        backup(lake, str(vault), NOON, None)
    assert "costlab doctor --files" in caught.value.hint
    assert stamps(Folder(vault)) == []


def test_an_older_backup_that_was_restored_needs_a_folder_of_its_own(tmp_path: Path) -> None:
    lake, vault = filled(tmp_path / "lake"), tmp_path / "vault"
    backup(lake, str(vault), NOON, None)
    replace_day(lake, {"findings": findings("b")})
    backup(lake, str(vault), NOON + timedelta(hours=1), None)
    restore(str(vault), tmp_path / "older", "2026-11-26T12-00-00Z", dry_run=False)
    restore(str(vault), tmp_path / "newest", None, dry_run=False)
    older, newest = Lake.open(tmp_path / "older"), Lake.open(tmp_path / "newest")
    assert "new: 0 files" in backup(newest, str(vault), NOON + timedelta(hours=2), None)
    with pytest.raises(LakeError, match="an older one that was restored") as caught:
        backup(older, str(vault), NOON + timedelta(hours=3), None)
    assert "another folder" in caught.value.hint
    assert backup(older, str(tmp_path / "other"), NOON, None)


@contextmanager
def breaking(nth: int, kind: int) -> Iterator[None]:
    """The n-th sync of the block fails: a full disk (28), a broken one (5), or an interruption (0)."""
    calls, real = iter(range(10_000)), durable._sync  # noqa: SLF001 - every write ends in it

    def fail(path: Path, flags: int) -> None:
        if next(calls) == nth:
            raise OSError(kind, os.strerror(kind)) if kind else KeyboardInterrupt
        real(path, flags)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(durable, "_sync", fail)
        try:
            yield
        except LakeError as fault:
            assert isinstance(fault, LakeFull) == (kind == 28)  # noqa: PT017 - it may also succeed
        except KeyboardInterrupt:
            assert not kind


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(nth=st.integers(0, 40), kind=st.sampled_from([28, 5, 0]))
def test_whatever_breaks_a_backup_off_it_is_none_and_the_next_is_whole(
    tmp_path_factory: pytest.TempPathFactory, nth: int, kind: int
) -> None:
    tmp_path = tmp_path_factory.mktemp("broken")
    lake, vault = filled(tmp_path / "lake", 1), tmp_path / "vault"
    with breaking(nth, kind):
        backup(lake, str(vault), NOON, None)
    for at in stamps(Folder(vault)):
        assert restore(str(vault), tmp_path / "no", at, dry_run=True)
    backup(lake, str(vault), NOON + timedelta(hours=1), None)
    assert restore(str(vault), tmp_path / "no", None, dry_run=True)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(nth=st.integers(0, 40), kind=st.sampled_from([28, 5, 0]))
def test_whatever_breaks_a_restore_off_there_is_no_lake_and_the_next_goes_on(
    tmp_path_factory: pytest.TempPathFactory, nth: int, kind: int
) -> None:
    tmp_path = tmp_path_factory.mktemp("broken")
    lake, vault, back = filled(tmp_path / "lake", 1), tmp_path / "vault", tmp_path / "back"
    backup(lake, str(vault), NOON, None)
    with breaking(nth, kind):
        restore(str(vault), back, None, dry_run=False)
    if not (back / "lake.json").exists():
        if (back / "_restoring").exists():
            with pytest.raises(LakeError, match=r"a restore into .* has not ended"):
                Lake.create(back)
        restore(str(vault), back, None, dry_run=False)
    assert told(Lake.open(back)) == told(lake)


def test_an_unfinished_restore_gives_way_to_another_backup(tmp_path: Path) -> None:
    lake, vault, back = filled(tmp_path / "lake"), tmp_path / "vault", tmp_path / "back"
    backup(lake, str(vault), NOON, None)
    before = told(lake)
    replace_day(lake, {"findings": findings("b")})
    backup(lake, str(vault), NOON + timedelta(hours=1), None)
    head = blob(vault, "lake.json")
    sound = head.read_bytes()
    head.write_bytes(bytes([*sound[:-1], sound[-1] ^ 1]))
    with pytest.raises(LakeError, match=r"lake\.json is not what was backed up"):
        restore(str(vault), back, None, dry_run=False)
    head.write_bytes(sound)
    restore(str(vault), back, "2026-11-26T12-00-00Z", dry_run=False)
    assert told(Lake.open(back)) == before


def test_a_night_and_a_prune_beside_a_backup_change_nothing_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lake is locked while its files are listed, and free while they are copied."""
    from costlab.config.settings import Settings
    from costlab.jobs.prune import prune

    lake, vault = filled(tmp_path / "lake"), tmp_path / "vault"
    pruned: list[Any] = []
    before, real = told(lake), module._item  # noqa: SLF001 - between one file and the next

    def busy(of: Lake, path: str) -> Any:
        if not pruned:
            day = Day(DAY.date + timedelta(days=5))
            replace_day(of, {"gpu_usage": usage(8, day=day)}, day)
            replace_day(of, {"gpu_usage": usage(9), "findings": findings("z")})
            retention = Settings.model_validate({"retention": {"gpu_usage": "1d"}})
            pruned.append(prune(of, retention, datetime.now(UTC) + timedelta(days=1), dry_run=False))
        return real(of, path)

    monkeypatch.setattr(module, "_item", busy)
    backup(lake, str(vault), NOON, None)
    assert pruned
    assert told(lake) != before
    restore(str(vault), tmp_path / "back", None, dry_run=False)
    assert told(Lake.open(tmp_path / "back")) == before


def test_two_backups_at_once_are_told_and_a_locked_lake_too(tmp_path: Path) -> None:
    lake, vault = filled(tmp_path / "lake", 1), Folder(tmp_path / "vault")
    with vault.locked(), pytest.raises(Busy, match=r"the backup at .* is in use"):
        backup(lake, str(vault), NOON, None)
    with lake.locked(), pytest.raises(Busy, match=r"the lake at .* is in use"):
        backup(lake, str(vault), NOON, None)
    backup(lake, str(vault), NOON, None)
    with pytest.raises(Busy, match="has a backup of 2026-11-26T12-00-00Z already"):
        backup(lake, str(vault), NOON, None)
    half = vault.path / "files" / "ab" / ".half.1"
    half.parent.mkdir(exist_ok=True)
    half.write_bytes(b"x")
    backup(lake, str(vault), NOON + timedelta(seconds=1), None)
    assert not half.exists()


def test_a_full_disk_for_real(tmp_path: Path) -> None:
    """However little room there is: a backup that was there stays, and the next one ends what was begun."""
    mount = tmp_path / "small"
    mount.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(mount)], check=False).returncode:
        pytest.skip("a small file system can only be mounted by root")
    try:
        lake, vault = filled(tmp_path / "lake", 1), mount / "vault"
        backup(lake, str(vault), NOON, None)
        first = told(lake)
        noise = findings(*(os.urandom(500).hex() for _ in range(1500)), day=DAY.next)
        replace_day(lake, {"findings": noise}, DAY.next)
        (mount / "ballast").write_bytes(bytes(shutil.disk_usage(mount).free - 300_000))
        with pytest.raises(LakeFull, match="no space left"):
            backup(lake, str(vault), NOON + timedelta(hours=1), None)
        assert stamps(Folder(vault)) == ["2026-11-26T12-00-00Z"]
        restore(str(vault), tmp_path / "back", None, dry_run=False)
        assert told(Lake.open(tmp_path / "back")) == first
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)


def test_a_manifest_is_plain_enough_to_restore_by_hand(tmp_path: Path) -> None:
    lake, vault, back = filled(tmp_path / "lake", 1), tmp_path / "vault", tmp_path / "back"
    backup(lake, str(vault), NOON, None)
    [manifest] = (vault / "manifests").iterdir()
    for item in json.loads(manifest.read_text())["items"]:
        place = back / item["path"]
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(vault / "files" / item["sha256"][:2] / item["sha256"], place)
    assert told(Lake.open(back)) == told(lake)
