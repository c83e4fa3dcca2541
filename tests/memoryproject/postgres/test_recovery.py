"""What a recovery leaves where it fails late: never less than there was."""

import pytest

from memoryproject.postgres.errors import ServerCannotRun
from memoryproject.postgres.layout import Layout
from memoryproject.postgres.recovery import Recovery


@pytest.fixture
def recovery(tmp_path):
    return Recovery(Layout(tmp_path), None)


def test_what_failed_before_the_places_changed_leaves_nothing(recovery, tmp_path):
    with pytest.raises(OSError, match="before"), recovery.beside():
        raise OSError("before")
    assert list(tmp_path.iterdir()) == []


def test_the_cluster_of_before_stays_where_it_cannot_be_laid_aside(recovery, tmp_path, monkeypatch):
    present = tmp_path / "postgres"
    present.mkdir()
    (present / "all that there was").touch()
    aside = tmp_path / "postgres.before-20260131T083000Z"
    (aside / "of an earlier restore").mkdir(parents=True)
    monkeypatch.setattr("memoryproject.postgres.recovery._aside_of", lambda folder: aside)
    with pytest.raises(OSError, match=r"postgres\.before-"), recovery.beside():
        (recovery.work.cluster / "recovered").touch()
        recovery.take_the_place()
    assert (present / "recovered").exists()
    assert [path.name for path in recovery.work.cluster.iterdir()] == ["all that there was"]


def test_a_full_archive_is_told_in_a_sentence(recovery, tmp_path):
    with recovery.beside():
        (recovery.work.cluster / "pg_wal").mkdir()
        (recovery.work.cluster / "pg_wal" / "00000002.history").write_text("1")
        with pytest.raises(ServerCannotRun, match=r"00000002\.history cannot be archived"):
            recovery.archive_history(tmp_path / "no such folder")
