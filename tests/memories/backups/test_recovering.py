"""A recovery refuses what cannot be, before it touches anything."""

from datetime import UTC, datetime

import msgspec
import pytest
from django.core.management import CommandError, call_command

from memories.backups.archive import BaseManifest, choose_base
from memories.backups.errors import BackupError
from memories.backups.recovering import read_moment, recover
from tests.acceptance.processes import run_command


@pytest.mark.parametrize(
    ("text", "words"), [("yesterday", "give a time such as"), ("2026-01-31T08:30", "has no zone")]
)
def test_a_moment_is_a_time_with_a_zone(text, words):
    with pytest.raises(BackupError, match=words):
        read_moment(text)


def test_a_moment_may_have_any_zone():
    assert read_moment("2026-01-31T08:30:00.5+02:00") == read_moment("2026-01-31T06:30:00.5Z")
    assert read_moment("latest") is None


def test_without_a_base_backup_there_is_nothing_to_recover(tmp_path):
    with pytest.raises(BackupError, match="no base backup"):
        choose_base(tmp_path, None)


def test_bases_of_other_clusters_are_not_meant(tmp_path):
    at = datetime(2026, 1, 31, tzinfo=UTC)
    made = {
        (cluster, day): manifest_of_base(tmp_path / cluster / f"base-{day}", at.replace(day=day))
        for cluster, day in (("11", 1), ("11", 3), ("22", 2), ("22", 4))
    }
    for system_id, until, wanted in (
        (11, None, ("11", 3)),
        (11, at.replace(day=2), ("11", 1)),
        (22, at.replace(day=3), ("22", 2)),
        (33, None, ("22", 4)),
        (None, at.replace(day=3), ("22", 2)),
    ):
        assert choose_base(tmp_path, until, system_id).folder == made[wanted]


def manifest_of_base(folder, ended_at):
    folder.mkdir(parents=True)
    manifest = BaseManifest(
        product_version="1",
        postgres_version=18,
        migrations=[],
        started_at=ended_at,
        ended_at=ended_at,
        first_segment="0" * 24,
        size_bytes=1,
        wal_sha256="",
    )
    (folder / "memories.json").write_bytes(msgspec.json.encode(manifest))
    return folder


def test_a_server_of_ones_own_is_not_touched(tmp_path):
    with pytest.raises(BackupError, match="pgBackRest"):
        recover({"ENGINE": "django.db.backends.postgresql"}, tmp_path, None, [])


@pytest.mark.parametrize(
    ("command", "options", "words"),
    [
        ("restore", {}, "either a FILE or --to"),
        ("restore", {"file": "x", "to": "latest"}, "either a FILE or --to"),
        ("backup", {"base": True, "to": "x"}, "--base goes to ARCHIVE_DIR"),
    ],
)
def test_options_that_contradict_are_refused(command, options, words):
    with pytest.raises(CommandError, match=words):
        call_command(command, **options)


def test_a_server_of_ones_own_archives_by_itself():
    done = run_command("check", DATABASE_URL="postgresql://a@localhost/b", WAL_ARCHIVE="true")
    assert done.returncode != 0
    assert "WAL_ARCHIVE is for the embedded server" in done.stderr
