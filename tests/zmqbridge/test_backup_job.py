"""The backup job: which commands it runs, and how a failure is told and waited out."""

import sys
from datetime import timedelta
from threading import Event

import pytest
from django.utils import timezone

from memories.services.backups import (
    BackupSeen,
    Kind,
    last_backup,
    last_failure,
    record_backup,
    record_failure,
)
from zmqbridge.backup_job import BackupWork, trouble
from zmqbridge.config import BackupConfig


@pytest.fixture
def work(db, tmp_path):
    """A job whose command notes its arguments in a file and ends with that status."""

    def work(status, **options):
        note = tmp_path / "commands"
        note.touch()
        script = (
            f"import sys; print(*sys.argv[1:], file=open({str(note)!r}, 'a'));"
            f" sys.exit({status} and 'CommandError: The disk is full.')"
        )
        config = BackupConfig(
            schedule="15 3 * * *",
            manage=(sys.executable, "-c", script),
            keep_count=7,
            **({"keep_days": 0, "verifies": False, "archives": False} | options),
        )
        return BackupWork(config, Event()), lambda: note.read_text().splitlines()

    return work


def test_with_an_archive_a_base_backup_is_made_as_well(work):
    back_up, commands = work(0, archives=True, keep_days=30)
    back_up()
    keep = "backup --keep-count=7 --keep-days=30"
    assert commands() == [keep, f"{keep} --base"]


def test_a_failure_is_kept_and_not_tried_again_at_once(work, caplog):
    back_up, commands = work(1)
    back_up()
    back_up()
    assert commands() == ["backup --keep-count=7"]
    failure = last_failure(Kind.DUMP)
    assert failure.reason == "backup: The disk is full."
    assert "The backup failed: The disk is full." in caplog.text
    assert last_backup() is None


def test_a_backup_that_was_never_made_is_late_or_failed_is_trouble(db):
    hourly = "0 * * * *"

    def record(hours_ago):
        made_at = timezone.now() - timedelta(hours=hours_ago)
        record_backup(BackupSeen(kind="dump", made_at=made_at, host="h", path="p", size_bytes=1))

    assert trouble(hourly) == "No good backup was made yet."
    record(hours_ago=4)
    assert "was not made" in trouble(hourly)
    record(hours_ago=1)
    assert trouble(hourly) == ""
    record_failure(Kind.DUMP, timezone.now(), "The disk is full.")
    assert trouble(hourly).endswith("failed: The disk is full.")
