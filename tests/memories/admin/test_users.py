"""The pages of users: who talked last, and all that an assistant knows of one."""

import json
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone

from memories.admin import users
from memories.ids import owner_of_session, owner_of_user
from memories.models import UserProfile
from memories.services.profiles import ProfileChange, update_profiles
from tests.factories import store

from .rows import open_session
from .test_memory_page import HOSTILE

pytestmark = pytest.mark.django_db

USERS = reverse("memories:users")


def user_url(user_id):
    return reverse("memories:user", args=[owner_of_user(user_id)])


def prefer(user_id, preferences):
    change = ProfileChange(user_id, timezone.now(), json.dumps(preferences).encode())
    update_profiles([change])


def test_who_talked_last_comes_first_and_everyone_once(admin_client, monkeypatch):
    monkeypatch.setattr(users, "PEOPLE", 2)
    for name, user_id in (("1", "ann"), ("2", "bob"), ("3", "ann"), ("4", ""), ("5", "cem")):
        open_session(name, user_id)
    page = admin_client.get(USERS)
    assert [person.user_id for person in page.context["people"]] == ["cem", ""]
    page = admin_client.get(USERS, {"after": page.context["more"]})
    assert [person.user_id for person in page.context["people"]] == ["ann", "bob"]
    assert page.context["more"] == ""


def test_a_user_a_session_and_an_owner_are_found_by_their_id(admin_client):
    open_session("hall", "ann")
    open_session("alone", "")
    prefer("bob", {"voice": "low"})
    ann, alone = owner_of_user("ann"), owner_of_session("alone")
    for term, owner in (("ann", ann), ("hall", ann), (str(ann), ann), ("alone", alone)):
        assert admin_client.get(USERS, {"q": term}).url == reverse("memories:user", args=[owner])
    assert admin_client.get(USERS, {"q": "bob"}, follow=True).context["user_id"] == "bob"
    assert "has the id an." in admin_client.get(USERS, {"q": "an"}, follow=True).text
    assert admin_client.get(reverse("memories:user", args=[uuid4()])).status_code == 404


def test_the_page_tells_what_the_assistant_would_be_told(admin_client):
    session_id = open_session("hall", "ann")
    store("My tooth hurts.", session_id)
    asked = {"query": "tooth", "session": session_id}
    told = admin_client.get(user_url("ann"), asked).context["told"]
    assert "My tooth hurts." in told.text
    for wrong in ({"session": "of another"}, {"query": ""}, {"query": "a\0"}):
        assert "told" not in admin_client.get(user_url("ann"), asked | wrong).context


def save(client, user_id, typed):
    """As the form sends it that the page shows."""
    form = client.get(user_url(user_id)).context["preferences_form"]
    read_at = form.initial["read_at"]
    return client.post(user_url(user_id), {"preferences": typed, "read_at": read_at})


def test_what_an_assistant_learned_meanwhile_is_not_lost(admin_client):
    prefer("ann", {"voice": "low"})
    form = admin_client.get(user_url("ann")).context["preferences_form"]
    prefer("ann", {"units": "metric"})
    fields = {"preferences": '{"voice": "high"}', "read_at": form.initial["read_at"]}
    response = admin_client.post(user_url("ann"), fields)
    assert "was changed while you edited it" in response.text
    assert "high" in response.text  # what was typed is still there
    kept = UserProfile.objects.get(pk="ann").preferences
    assert kept == {"voice": "low", "units": "metric"}
    assert not LogEntry.objects.exists()


def test_a_first_profile_is_made_by_the_form(admin_client):
    open_session("hall", "ann")
    assert save(admin_client, "ann", '{"voice": "low"}').status_code == 302
    assert UserProfile.objects.get(pk="ann").preferences == {"voice": "low"}


def test_preferences_are_saved_as_they_were_typed(enter):
    prefer("ann", {"voice": "low", "units": "metric"})
    client = enter("operator")
    typed = '{"units": 1.10000000000000000001}'
    assert save(client, "ann", typed).status_code == 302
    kept = client.get(user_url("ann")).context["preferences"]
    assert "1.10000000000000000001" in kept and "voice" not in kept
    [entry] = LogEntry.objects.all()
    told = (entry.object_id, entry.get_change_message())
    assert told == (str(owner_of_user("ann")), "Changed preferences.")


@pytest.mark.parametrize("typed", ["", "{", "[1]", '{"a": "\\u0000"}', f'["{"x" * 300_000}"]'])
def test_preferences_that_cannot_be_kept_are_told_and_stay_typed(admin_client, typed):
    prefer("ann", {"voice": "low"})
    response = save(admin_client, "ann", typed)
    assert response.status_code == 200
    assert response.context["preferences_form"].errors
    assert UserProfile.objects.get(pk="ann").preferences == {"voice": "low"}


def test_a_viewer_looks_and_changes_nothing(enter):
    prefer("ann", {"voice": "low"})
    client = enter("viewer")
    page = client.get(user_url("ann"))
    assert "voice" in page.text and "Save preferences" not in page.text
    assert client.post(user_url("ann"), {"preferences": "{}"}).status_code == 403


def test_hostile_users_are_shown_as_they_are(admin_client):
    user_id = HOSTILE[:64]
    store(HOSTILE, open_session(HOSTILE[:64], user_id), memory_type=HOSTILE[:32])
    prefer(user_id, {HOSTILE: HOSTILE})
    for url in (USERS, user_url(user_id)):
        text = admin_client.get(url).text
        assert "<script>alert" not in text and "<img src=x" not in text
