"""No page holds the database for long: what takes too long is stopped, and says so."""

import pytest
from django.urls import reverse

from memories.admin import limits
from memories.services.people import list_people
from tests.factories import other_connection, store

from .conftest import page_url
from .rows import open_session


@pytest.fixture
def locked(transactional_db, monkeypatch, admin_client):
    """A memory whose tables nobody else can read."""
    monkeypatch.setattr(limits, "PAGE_SECONDS", 0.05)
    memory_id = store()
    with other_connection() as other:
        other.execute("BEGIN")
        other.execute("LOCK TABLE memory_entries, sessions, embedding_models, embedding_tasks")
        yield memory_id
        other.execute("ROLLBACK")


@pytest.mark.parametrize("name", ["users", "trash", "models"])
def test_a_page_that_takes_too_long_is_stopped_and_says_so(admin_client, locked, name):
    response = admin_client.get(reverse(f"memories:{name}"))
    assert response.status_code == 503
    assert "was stopped" in response.text


def test_a_memory_s_page_is_stopped_too(admin_client, locked):
    response = admin_client.get(page_url("memoryentry", locked))
    assert (response.status_code, "was stopped" in response.text) == (503, True)


def test_the_home_page_says_so_and_stays(admin_client, locked):
    assert "was stopped" in admin_client.get(reverse("admin:index")).text
    assert admin_client.get(reverse("memories:home-live")).status_code == 503


@pytest.mark.django_db
@pytest.mark.parametrize("few_owners", [1_000, 0])
def test_people_are_the_same_owner_by_owner_and_session_by_session(monkeypatch, few_owners):
    from memories.services import people

    monkeypatch.setattr(people, "_FEW_OWNERS", few_owners)
    for number in range(6):
        open_session(f"s-{number}", f"user-{number % 3}")
    first = list_people(2)
    assert [person.session_id for person in first] == ["s-5", "s-4"]
    rest = list_people(2, first[-1].session_id)
    assert [person.session_id for person in rest] == ["s-3"]


@pytest.mark.django_db
def test_a_table_that_was_never_analysed_is_estimated_by_its_size():
    from memories.changes import rows
    from memories.services.estimates import estimate_rows

    rows(
        "CREATE TABLE fresh WITH (autovacuum_enabled = off) AS "
        "SELECT repeat('x', 500) AS told FROM generate_series(1, 10000)"
    )
    assert 5_000 < estimate_rows("fresh") < 20_000
    rows("ANALYZE fresh")
    rows("INSERT INTO fresh SELECT told FROM fresh")
    assert 15_000 < estimate_rows("fresh") < 25_000
