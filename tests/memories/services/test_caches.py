"""What is remembered of an owner is looked for again once everything was forgotten."""

import pytest

from memories.services.caches import forget_everything
from memories.services.forget import Deletion, forget_memories
from memories.services.search.lacking import has_unqueued
from memories.services.sessions import owners_of_sessions
from tests.factories import SESSION, database_now, store

pytestmark = pytest.mark.django_db

MODEL = 1  # it has made no vectors


def test_whether_an_owner_lacks_vectors_is_looked_for_again():
    stored = store()
    owner = owners_of_sessions([SESSION])[SESSION]
    assert has_unqueued(owner, MODEL, known=0)
    forget_memories([Deletion(stored, database_now())])
    assert has_unqueued(owner, MODEL, known=0)  # as it was a moment ago
    forget_everything()
    assert not has_unqueued(owner, MODEL, known=0)
