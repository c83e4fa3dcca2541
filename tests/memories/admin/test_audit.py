"""The log of what accounts did: filters, search, and who may read it."""

import pytest
from django.contrib.contenttypes.models import ContentType
from django.urls import reverse

from memories.models import MemoryEntry
from tests.factories import store

from .rows import open_session
from .test_actions import act
from .test_lists import ids_in

pytestmark = pytest.mark.django_db

LOG = reverse("admin:admin_logentry_changelist")


def test_it_is_filtered_by_account_kind_time_and_id(admin_client, admin_user, django_user_model):
    other = django_user_model.objects.create_user("other")
    memory_id = store()
    open_session("hall", "ann")
    act(admin_client, "memoryentry", "delete_softly", [memory_id])
    act(admin_client, "session", "end", ["hall"])
    kind = ContentType.objects.get_for_model(MemoryEntry).pk

    def found(**parameters):
        return len(ids_in(admin_client.get(LOG, parameters)))

    assert found() == found(within="hour") == found(account=admin_user.pk) == 2
    assert found(account=other.pk) == 0
    assert found(what=kind) == found(q=memory_id) == 1
    page = admin_client.get(LOG).text
    assert "Deleted" in page and "Ended" in page


def test_it_is_for_administrators_alone(enter):
    assert enter("operator").get(LOG).status_code == 403


def test_administrators_read_it_and_change_nothing(enter):
    client = enter("administrator")
    assert client.get(LOG).status_code == 200
    assert client.get(reverse("admin:admin_logentry_add")).status_code == 403
