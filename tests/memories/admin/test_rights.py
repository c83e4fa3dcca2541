"""Rights: what each group may do is offered, and the rest is refused when tried."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.urls import reverse

from memories.ids import owner_of_user
from memories.models import MemoryEntry, Revision
from tests.factories import store

from .conftest import list_url, page_url
from .rows import LISTED, delete, fill_tables, open_session
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


def password_page(account):
    return reverse("admin:auth_user_password_change", args=[account.pk])


@pytest.fixture
def enter_with(client, django_user_model):
    """enter_with("view_session", …) -> a client logged in as one who may that alone."""

    def enter_with(*codenames):
        account = django_user_model.objects.create_user("special", is_staff=True)
        account.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client.force_login(account)
        return client

    return enter_with


class TestPartsOfAPage:
    """A page shows of each table what the account may look at."""

    def test_a_session_without_what_was_said(self, enter_with):
        store("My secret is blue.", open_session("hall", "ann"))
        client = enter_with("view_session", "view_userprofile")
        page = client.get(page_url("session", "hall"))
        assert page.status_code == 200 and "secret" not in page.text
        told = client.post(reverse("memories:summary"), {"session_id": "hall"})
        assert told.status_code == 403
        user = reverse("memories:user", args=[owner_of_user("ann")])
        asked = client.get(user, {"query": "secret", "session": "hall"})
        assert asked.status_code == 200 and "blue" not in asked.text

    def test_a_memory_without_its_neighbours(self, enter_with):
        memory_id, other = store("The kettle."), store("Another kettle.")
        delete(memory_id)
        MemoryEntry.all_objects.get(pk=memory_id).restore()
        client = enter_with("view_memoryentry")
        page = client.get(page_url("memoryentry", memory_id))
        assert "The kettle." in page.text
        for heading in ("History", "Relationships", "Nearest by meaning", "Accesses", "Vectors"):
            assert f">{heading}</h2>" not in page.text
        assert other not in page.text

    def test_the_sidebar_offers_what_will_be_shown(self, enter_with):
        client = enter_with("view_session", "view_revision", "view_embeddingmodel")
        home = client.get(reverse("admin:index")).text
        for name in ("users", "trash", "models"):
            url = reverse(f"memories:{name}")
            assert f'href="{url}"' not in home and client.get(url).status_code == 403


def test_what_changed_a_row_is_read_by_those_who_may_read_the_log(enter):
    url = page_url("memoryentry", store()).replace("change/", "history/")
    for group, status in (("viewer", 403), ("operator", 403), ("administrator", 200)):
        client = enter(group)
        assert client.get(url).status_code == status
        offered = url in client.get(url.replace("history/", "change/")).text
        assert offered == (status == 200)


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
        assert client.get(password_page(admin_user)).status_code == 403
        assert client.post(self.page(admin_user), fields).status_code == 403

    def test_nobody_reaches_a_group_that_may_more(self, enter, django_user_model):
        client = enter("administrator")
        above = Group.objects.create(name="above")
        above.permissions.add(Permission.objects.get(codename="delete_user"))
        me = django_user_model.objects.get(username="one-administrator")
        page = client.get(self.page(me))
        assert "above" not in str(page.context["adminform"].form["groups"])
        fields = {"username": me.username, "is_active": "on", "is_staff": "on"}
        assert client.post(self.page(me), fields | {"groups": [above.pk]}).status_code == 200
        assert [group.name for group in me.groups.all()] == ["administrator"]

    @pytest.mark.parametrize("is_active", [True, False])
    def test_nobody_becomes_an_account_that_may_more(self, enter, django_user_model, is_active):
        client = enter("administrator")
        other = django_user_model.objects.create_user("other", is_active=is_active)
        assert client.get(password_page(other)).status_code == 200
        other.user_permissions.add(Permission.objects.get(codename="delete_user"))
        assert client.get(password_page(other)).status_code == 403
        assert client.post(self.page(other), {"username": "mine"}).status_code == 403

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
