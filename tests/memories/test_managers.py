import uuid
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, models, transaction
from django.db.models import ProtectedError
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from memories.changes import CHANNEL
from memories.models import Embedding, EmbeddingModel, MemoryEntry, Revision, Session
from memories.models.owned import OwnedModel
from memories.services.history import history_of
from tests.factories import SESSION, database_now, other_connection, set_expiry, store

pytestmark = pytest.mark.django_db

MICROSECOND = timedelta(microseconds=1)


def memory(an_id):
    return MemoryEntry.all_objects.get(id=an_id)


class TestAlive:
    def test_until_it_expires_by_the_clock_of_the_database(self):
        an_id = store()
        set_expiry(an_id, database_now())
        assert not MemoryEntry.objects.exists()
        assert list(MemoryEntry.all_objects.expired()) == [memory(an_id)]
        set_expiry(an_id, database_now() + timedelta(hours=1))
        assert MemoryEntry.objects.get().id == an_id
        assert not MemoryEntry.all_objects.expired().exists()

    def test_every_default_way_sees_it_alone(self):
        kept, gone, expired = store(), store(), store()
        memory(gone).delete()
        set_expiry(expired, database_now())
        session = Session.objects.prefetch_related("memories").get(id=SESSION)
        assert [one.id for one in session.memories.all()] == [kept]
        assert session.memories.count() == 1
        assert MemoryEntry.objects.count() == 1
        assert MemoryEntry.all_objects.count() == 3
        assert [one.id for one in MemoryEntry.all_objects.deleted()] == [gone]

    def test_words_of_the_queryset(self):
        an_id = store()
        owner = memory(an_id).owner_id
        assert MemoryEntry.objects.of_owner(owner).count() == 1
        assert MemoryEntry.objects.of_owner(uuid.uuid4()).count() == 0
        memory(an_id).delete()
        deleted_at = memory(an_id).deleted_at
        assert not MemoryEntry.all_objects.deleted_before(deleted_at).exists()
        assert MemoryEntry.all_objects.deleted_before(deleted_at + MICROSECOND).exists()


class TestDelete:
    def test_of_an_instance(self):
        an_id = store()
        assert memory(an_id).delete() == (1, {"memories.MemoryEntry": 1})
        assert memory(an_id).delete() == (0, {})
        assert memory(an_id).deleted_at
        assert [one.action for one in history_of(an_id)] == ["delete"]

    def test_of_a_queryset(self):
        for _ in range(3):
            store()
        last = store("keep")
        doomed = MemoryEntry.objects.exclude(id=last)
        assert doomed.delete() == (3, {"memories.MemoryEntry": 3})
        assert doomed.delete() == (0, {})
        assert Revision.objects.count() == 3
        assert MemoryEntry.objects.get().id == last

    def test_through_a_session(self):
        store()
        store(session_id="other")
        assert Session.objects.get(id=SESSION).memories.all().delete()[0] == 1
        assert MemoryEntry.objects.count() == 1

    def test_costs_the_same_for_one_and_for_many(self):
        counts = []
        for size in (1, 30):
            for _ in range(size):
                store()
            with CaptureQueriesContext(
                connection,
            ) as captured:
                MemoryEntry.objects.all().delete()
            counts.append(len(captured))
        assert counts[0] == counts[1]

    def test_a_session_with_memories_is_protected_from_it(self):
        memory(store()).delete()
        with pytest.raises(ProtectedError):
            Session.objects.get(id=SESSION).delete()

    @pytest.mark.django_db(transaction=True)
    def test_tells_the_caches(self):
        an_id = store()
        with other_connection() as listening:
            listening.execute(f"LISTEN {CHANNEL}")
            memory(an_id).delete()
            memory(an_id).restore()
            heard = [one.payload for one in listening.notifies(timeout=5, stop_after=2)]
        assert heard == [f'["{an_id}"]'] * 2


class TestRestore:
    def test_of_an_instance_and_of_a_queryset(self):
        one, two = store(), store()
        MemoryEntry.objects.all().delete()
        assert memory(one).restore() == 1
        assert memory(one).restore() == 0
        assert MemoryEntry.all_objects.all().restore() == 1
        assert MemoryEntry.objects.count() == 2
        assert [one.action for one in history_of(two)] == ["restore", "delete"]


class TestHardDelete:
    def test_takes_the_row_and_what_hangs_on_it(self):
        an_id, kept = store(), store()
        memory(an_id).delete()
        model = EmbeddingModel.objects.create(
            name="of the test", dimension=2, created_at=timezone.now()
        )
        for one in (an_id, kept):
            Embedding.objects.create(
                owner_id=memory(one).owner_id,
                memory_id=one,
                model=model,
                version=1,
                embedding=[1, 0],
            )
        count, what = memory(an_id).hard_delete()
        assert what["memories.MemoryEntry"] == 1
        assert count >= 3
        assert list(MemoryEntry.all_objects.values_list("id", flat=True)) == [kept]
        assert not Revision.objects.exists()
        assert Embedding.objects.get().memory_id == kept


def owned_models():
    return [model for model in OwnedModel.__subclasses__() if model.__module__[:5] != "tests"]


def test_saving_names_the_owner():
    store()
    session = Session.objects.get(id=SESSION)
    session.summary = "changed"
    with CaptureQueriesContext(connection) as captured:
        session.save(update_fields=["summary"])
    [update] = [query["sql"] for query in captured if query["sql"].startswith("UPDATE")]
    assert '"owner_id"' in update.partition("WHERE")[2]
    stranger = Session.objects.get(id=SESSION)
    stranger.owner_id = uuid.uuid4()
    stranger.summary = "stolen"
    with pytest.raises(DatabaseError, match="did not affect any rows"), transaction.atomic():
        stranger.save(update_fields=["summary"])
    assert Session.objects.get(id=SESSION).summary == "changed"


def test_every_unique_constraint_but_the_primary_key_contains_the_owner():
    assert len(owned_models()) >= 8
    for model in owned_models():
        assert not [field for field in model._meta.fields if field.unique and not field.primary_key]
        for constraint in model._meta.constraints:
            if isinstance(constraint, models.UniqueConstraint):
                assert "owner_id" in constraint.fields, constraint
