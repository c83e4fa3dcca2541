"""Rights: what each group may do is offered, and the rest is refused when tried."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.urls import reverse

from memories.models import MemoryEntry, Revision
from tests.factories import store

from .conftest import list_url, page_url
from .rows import LISTED, fill_tables, open_session
from .test_actions import act, offered
from .test_memory_page import form_of, save

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("group", ["viewer", "operator", "administrator"])
def test_every_group_sees_every_table(enter, group):
    fill_tables(1)
    client = enter(group)
    for model in LISTED:
        assert client.get(list_url(model._meta.model_name)).status_code == 200


def test_a_viewer_changes_nothing(enter):
    memory_id = store()
    open_session("hall", "ann")
    client = enter("viewer")
    assert 'name="priority"' not in client.get(page_url("memoryentry", memory_id)).text
    assert client.post(page_url("memoryentry", memory_id), {"priority": "1"}).status_code == 403
    for model in ("memoryentry", "session"):
        assert not client.get(list_url(model)).context["action_form"]
    act(client, "memoryentry", "delete_softly", [memory_id])
    act(client, "session", "end", ["hall"])
    assert MemoryEntry.objects.filter(pk=memory_id).exists()
    assert not Revision.objects.exists() and not LogEntry.objects.exists()


def test_an_operator_mends_and_does_not_govern(enter):
    memory_id = store()
    client = enter("operator")
    assert save(client, memory_id, form_of(client, memory_id), priority="9").status_code == 302
    assert offered(client, "memoryentry") == {"delete_softly"}
    for url in ("admin:auth_user_changelist", "admin:auth_user_add", "admin:auth_group_changelist"):
        assert client.get(reverse(url)).status_code == 403


class TestAccounts:
    def page(self, account):
        return reverse("admin:auth_user_change", args=[account.pk])

    def test_an_administrator_makes_accounts_and_puts_them_into_groups(
        self, enter, django_user_model
    ):
        client = enter("administrator")
        password = {"password1": "a long enough one", "password2": "a long enough one"}
        made = client.post(reverse("admin:auth_user_add"), {"username": "eve", **password})
        assert made.status_code == 302
        eve = django_user_model.objects.get(username="eve")
        viewer = Group.objects.get(name="viewer")
        fields = {"username": "eve", "is_active": "on", "is_staff": "on", "groups": [viewer.pk]}
        assert client.post(self.page(eve), fields).status_code == 302
        assert list(eve.groups.all()) == [viewer]

    def test_nobody_takes_rights_that_go_past_the_groups(
        self, enter, admin_user, django_user_model
    ):
        client = enter("administrator")
        me = django_user_model.objects.get(username="one-administrator")
        fields = {"username": me.username, "is_active": "on", "is_staff": "on"}
        client.post(self.page(me), fields | {"is_superuser": "on", "user_permissions": ["1"]})
        me.refresh_from_db()
        assert not me.is_superuser and not me.user_permissions.exists()
        password = reverse("admin:auth_user_password_change", args=[admin_user.pk])
        assert client.get(password).status_code == 403
        assert client.post(self.page(admin_user), fields).status_code == 403

    def test_an_account_stays_with_the_log_of_what_it_did(self, admin_client, django_user_model):
        other = django_user_model.objects.create_user("other")
        delete = reverse("admin:auth_user_delete", args=[other.pk])
        assert admin_client.post(delete, {"post": "yes"}).status_code == 403
        assert "delete_selected" not in admin_client.get(reverse("admin:auth_user_changelist")).text


def test_every_change_is_in_the_log_with_its_account_and_without_the_text(enter):
    edited, deleted = store("a secret"), store("another secret")
    open_session("hall", "ann")
    client = enter("operator")
    save(client, edited, form_of(client, edited), content_json='{"text": "a third secret"}')
    save(client, edited, form_of(client, edited))
    act(client, "memoryentry", "delete_softly", [deleted])
    act(client, "memoryentry", "restore", [deleted], state="deleted")
    act(client, "session", "end", ["hall"])
    entries = LogEntry.objects.order_by("pk")
    assert {entry.user.username for entry in entries} == {"one-operator"}
    told = [(entry.object_id, entry.get_change_message()) for entry in entries]
    assert told == [
        (edited, "Changed Content."),
        (deleted, "Deleted"),
        (deleted, "Restored"),
        ("hall", "Ended"),
    ]
    assert not any("secret" in entry.object_repr for entry in entries)
    assert {revision.changed_by for revision in Revision.objects.all()} == {"one-operator"}


def test_nothing_comes_from_elsewhere(admin_client):
    policy = admin_client.get("/admin/").headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "http" not in policy
