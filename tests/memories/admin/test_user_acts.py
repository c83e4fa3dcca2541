"""Export and erasure of a user from the user's page."""

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from memories.admin import user_acts
from memories.ids import owner_of_user
from memories.models import Erasure, MemoryEntry
from tests.factories import store

from .rows import delete, open_session

# An export is of one moment, and an erasure commits its steps.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path


@pytest.fixture
def ann():
    store("Ann was here.", open_session("hall", "ann"))
    store("Bob was here.", open_session("kitchen", "bob"))
    return owner_of_user("ann")


def post(client, act, owner_id, **fields):
    return client.post(reverse(f"memories:{act}-user", args=[owner_id]), fields)


@pytest.mark.parametrize(("fields", "ending"), [({}, ".jsonl"), ({"page": "1"}, ".html")])
def test_a_user_s_data_is_downloaded(enter, ann, fields, ending):
    response = post(enter("operator"), "export", ann, **fields)
    text = b"".join(response.streaming_content).decode()
    assert "Ann was here." in text and "Bob" not in text
    assert response.headers["Content-Disposition"].endswith(f'{ending}"')
    assert LogEntry.objects.get().change_message == "Exported"


def test_a_user_is_erased_once_the_name_was_typed(enter, ann):
    client = enter("administrator")
    assert "Erase for good" in client.get(reverse("memories:user", args=[ann])).text
    post(client, "erase", ann, name="an")
    assert MemoryEntry.objects.filter(owner_id=ann).exists()
    post(client, "erase", ann, name="ann")
    [left] = MemoryEntry.objects.all()
    assert "Bob" in left.text
    assert Erasure.objects.get().erased_by == "one-administrator"
    assert client.get(reverse("memories:user", args=[ann])).status_code == 404
    assert not LogEntry.objects.filter(object_id__contains="ann").exists()


def test_what_is_too_large_for_a_page_is_left_to_the_command(admin_client, ann, monkeypatch):
    """What is deleted and what was held before is written and removed as well."""
    monkeypatch.setattr(user_acts, "MOST_ROWS", 2)
    hall = MemoryEntry.objects.get(owner_id=ann)
    delete(hall.pk)
    store("Ann is back.", "hall")
    post(admin_client, "erase", ann, name="ann")
    assert MemoryEntry.objects.filter(owner_id=ann).exists()


def test_an_erasure_whose_proof_cannot_be_written_removes_nothing(admin_client, ann, settings):
    (settings.DATA_DIR / "erasures").write_text("This is no folder.")
    page = reverse("memories:user", args=[ann])
    assert post(admin_client, "erase", ann, name="ann").url == page
    assert "cannot be written" in admin_client.get(page).text
    assert MemoryEntry.objects.filter(owner_id=ann).exists()


@pytest.mark.parametrize(("group", "act"), [("viewer", "export"), ("operator", "erase")])
def test_who_may_not_is_refused(enter, ann, group, act):
    client = enter(group)
    assert (
        reverse(f"memories:{act}-user", args=[ann])
        not in client.get(reverse("memories:user", args=[ann])).text
    )
    assert post(client, act, ann, name="ann").status_code == 403
    assert MemoryEntry.objects.filter(owner_id=ann).exists()
