"""`manage.py rebuild_search`: the words of what is stored, in another language."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import CommandError

from memories.management.commands import rebuild_search as command
from memories.models import Installation, MemoryEntry, Orchestrator
from memories.services import store as store_service
from memories.services import words
from memories.services.forget import Deletion, forget_memories
from memories.services.store import store_memories
from tests.factories import new_memory, store

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _started_in_english():
    forget_language()
    words.language()
    yield
    forget_language()


def start_orchestrator(instance="one", silent_seconds=0):
    seen_at = datetime.now(UTC) - timedelta(seconds=silent_seconds)
    return Orchestrator.objects.create(instance=instance, started_at=seen_at, seen_at=seen_at)


def forget_language():
    """As a new process would know nothing of it."""
    words.forget_language()
    store_service._insert_sql.cache_clear()


def run(language, *options):
    out = StringIO()
    call_command("rebuild_search", "--language", language, *options, stdout=out)
    return out.getvalue()


def lexemes(an_id):
    return MemoryEntry.all_objects.values_list("search", "words").get(id=an_id)


def test_every_memory_is_indexed_anew_the_deleted_too(monkeypatch):
    monkeypatch.setattr(command, "_BATCH", 3)
    ids = [stored.memory_id for stored in store_memories([new_memory("die Häuser")] * 1)]
    ids += [store("die Häuser") for _ in range(7)]
    forget_memories([Deletion(ids[0], datetime.now(UTC))])
    before = MemoryEntry.all_objects.values("version", "updated_at").get(id=ids[1])
    assert "8 memories are indexed in german. Set SEARCH_LANGUAGE=german" in run("german")
    assert {lexemes(an_id) for an_id in ids} == {("'haus':2", 1)}
    assert MemoryEntry.all_objects.values("version", "updated_at").get(id=ids[1]) == before
    assert Installation.objects.get().search_language == "german"


def test_the_settings_must_follow(settings):
    store("die Häuser")
    run("german")
    with pytest.raises(ImproperlyConfigured, match="rebuild_search --language english"):
        words.language()
    settings.SEARCH_LANGUAGE = "german"
    forget_language()
    assert words.language() == "german"
    assert lexemes(store("die Häuser")) == ("'haus':2", 1)


def test_a_stop_leaves_the_old_language_on_record_and_a_repeat_finishes(monkeypatch):
    monkeypatch.setattr(command, "_BATCH", 2)
    ids = [store("die Häuser") for _ in range(6)]
    reindex_words, batches = command.reindex_words, []

    def stop(*arguments):
        if len(batches) == 2:
            raise KeyboardInterrupt
        batches.append(1)
        return reindex_words(*arguments)

    monkeypatch.setattr(command, "reindex_words", stop)
    with pytest.raises(CommandError, match=r"Stopped half-way.*english"):
        run("german")
    monkeypatch.setattr(command, "reindex_words", reindex_words)
    run("german")
    assert {lexemes(an_id) for an_id in ids} == {("'haus':2", 1)}


def test_it_is_refused_while_an_orchestrator_runs():
    row = start_orchestrator()
    with pytest.raises(CommandError, match="one still runs"):
        run("german")
    run("german", "--force")
    row.stopped_at = row.seen_at
    row.save(update_fields=["stopped_at"])
    run("english")
    start_orchestrator("killed", silent_seconds=60)
    run("german")


def test_one_that_was_started_meanwhile_is_noticed(monkeypatch):
    store("die Häuser")
    reindex_words = command.reindex_words

    def start(*arguments):
        Orchestrator.objects.exists() or start_orchestrator()
        return reindex_words(*arguments)

    monkeypatch.setattr(command, "reindex_words", start)
    with pytest.raises(CommandError, match="one still runs"):
        run("german")
    assert Installation.objects.get().search_language == "english"


def test_an_unknown_language_is_answered_with_the_known_ones():
    with pytest.raises(CommandError, match=r"'klingon'; choose from .*english.*"):
        run("klingon")
