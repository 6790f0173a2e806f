"""Backups in an object store: as in a folder, and when it refuses, or answers too late."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from object_store import Store
from small_lake import DAY, findings, replace_day, usage
from store_faults import FailingStore

from costlab.domain.errors import Busy, ConfigError, LakeError
from costlab.jobs.backup import backup
from costlab.jobs.restore import restore
from costlab.store.bucket import Bucket
from costlab.store.faults import of_bucket
from costlab.store.lake import Lake
from costlab.store.manifest import stamps
from costlab.store.place import BucketPath

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake.create(tmp_path / "lake")
    replace_day(made, {"findings": findings("a"), "gpu_usage": usage(1)})
    return made


def same(lake: Lake, back: Path) -> bool:
    there = Lake.open(back)
    rows = [[of.read(table, "prod", DAY) for table in ("findings", "gpu_usage")] for of in (lake, there)]
    return (lake.states(), lake.run("prod", DAY)) == (there.states(), there.run("prod", DAY)) and rows[
        0
    ] == rows[1]


def test_a_backup_comes_back_and_a_second_one_sends_only_what_is_new(
    store: FailingStore, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup(lake, store.address, NOON, None)
    assert restore(store.address, tmp_path / "no", None, dry_run=True).startswith("sound")
    restore(store.address, tmp_path / "back", None, dry_run=False)
    assert same(lake, tmp_path / "back")
    assert "new: 0 files" in backup(lake, store.address, NOON + timedelta(hours=1), None)
    replace_day(lake, {"findings": findings("b"), "gpu_usage": usage(1)})
    told = backup(lake, store.address, NOON + timedelta(hours=2), 1)
    assert "new: 4 files" in told, "a file and a log entry of findings and of runs"
    assert told.endswith("0 files were deleted"), "they are younger than a day"
    assert stamps(Bucket(store.address)) == ["2026-11-26T14-00-00Z"]
    before = len(Bucket(store.address).names("files"))
    monkeypatch.setattr("costlab.store.bucket._YOUNG", timedelta(0))
    told = backup(lake, store.address, NOON + timedelta(hours=3), 1)
    assert told.endswith("2 files were deleted"), "the findings and the run of the first"
    assert len(Bucket(store.address).names("files")) == before - 2
    restore(store.address, tmp_path / "again", None, dry_run=False)
    assert same(lake, tmp_path / "again")


@pytest.mark.parametrize("landed", [0, 1, 7])
def test_a_write_whose_answer_is_lost_is_written_twice_and_once_there(
    store: FailingStore, lake: Lake, tmp_path: Path, landed: int
) -> None:
    store.drop_after = landed
    backup(lake, store.address, NOON, None)
    assert store.drop_after == -1
    restore(store.address, tmp_path / "back", None, dry_run=False)
    assert same(lake, tmp_path / "back")


def test_a_store_that_is_busy_is_asked_again_and_one_that_stays_so_is_said(
    own_store: Store, lake: Lake, tmp_path: Path
) -> None:
    own_store.refuse = 2
    backup(lake, own_store.address, NOON, None)
    restore(own_store.address, tmp_path / "back", None, dry_run=False)
    assert same(lake, tmp_path / "back")
    own_store.refuse = 10**6
    with pytest.raises(Busy) as caught:
        backup(lake, own_store.address, NOON + timedelta(hours=1), None)
    assert own_store.address.partition("?")[0] in caught.value.message
    own_store.refuse = 0
    assert stamps(Bucket(own_store.address)) == ["2026-11-26T12-00-00Z"]


def test_what_is_missing_or_damaged_in_a_store_is_named(
    store: FailingStore, lake: Lake, tmp_path: Path
) -> None:
    backup(lake, store.address, NOON, None)
    name = max((key for key in store.objects if "/files/" in key), key=lambda key: len(store.objects[key]))
    sound = store.objects[name]
    store.objects[name] = bytes([*sound[:-1], sound[-1] ^ 1])
    with pytest.raises(LakeError, match="is not what was backed up"):
        restore(store.address, tmp_path / "back", None, dry_run=True)
    del store.objects[name]
    with pytest.raises(LakeError, match="is missing"):
        restore(store.address, tmp_path / "back", None, dry_run=False)
    backup(lake, store.address, NOON + timedelta(hours=1), None)
    restore(store.address, tmp_path / "back", None, dry_run=False)
    assert same(lake, tmp_path / "back")


def test_a_bucket_that_is_not_there_is_said(store: FailingStore, lake: Lake) -> None:
    with pytest.raises(ConfigError, match=r"(?i)no_?such_?bucket"):
        backup(lake, store.address.replace("backups", "others"), NOON, None)


def test_an_address_that_is_none_or_holds_a_password_is_refused(lake: Lake) -> None:
    for address in ("sss://x/y", "s3://", "s3:///"):
        with pytest.raises(ConfigError, match="is no address of backups"):
            backup(lake, address, NOON, None)
    for address in (
        "s3://key:hunter2@bucket/lake",
        "s3://bucket/lake?secret_key=hunter2",
        "s3://bucket/la ke?region=us-east-1&secret_key=hunter2",
    ):
        with pytest.raises(ConfigError) as caught:
            backup(lake, address, NOON, None)
        assert "hunter2" not in caught.value.message + caught.value.hint
        with pytest.raises(ConfigError) as caught:
            BucketPath.at(address)
        assert "hunter2" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    ("status", "said", "code"),
    [
        (
            400,
            "Unable to parse ExceptionName: InvalidBucketName Message: The specified bucket is not valid.",
            2,
        ),
        (400, "No response body.", 2),  # a token that has expired, asked for what an object is
        (301, "Unable to parse ExceptionName: PermanentRedirect Message: of another region", 2),
        (500, "No response body.", 5),
        (409, "Unable to parse ExceptionName: OperationAborted Message: try again", 5),
    ],
)
def test_only_what_may_end_well_is_to_be_tried_again(status: int, said: str, code: int) -> None:
    words = (
        f"When uploading object: AWS Error UNKNOWN (HTTP status {status}) during PutObject operation: {said}"
    )
    assert of_bucket("s3://k/lake", OSError(words)).exit_code == code
