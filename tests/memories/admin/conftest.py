from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Group
from django.urls import reverse

# What gives the groups their rights: a test that commits takes all rows away at its end.
GRANTS = {
    "0003_groups": "make_groups",
    "0004_backups": "let_groups_look",
    "0005_retention": "grant_rights",
    "0011_import_reports": "grant_rights",
}


@pytest.fixture(autouse=True)
def _quick_pages(settings):
    """Static files are not collected for a test, and a password need not be slow to check."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]


@pytest.fixture
def enter(client, django_user_model):
    """enter(group) -> a client logged in as a member of it."""
    for migration, grant in GRANTS.items():
        getattr(import_module(f"memories.migrations.{migration}"), grant)(apps, None)

    def enter(group):
        account, _ = django_user_model.objects.get_or_create(
            username=f"one-{group}", defaults={"is_staff": True}
        )
        account.groups.add(Group.objects.get(name=group))
        client.force_login(account)
        return client

    return enter


def list_url(model, **parameters):
    return reverse(f"admin:memories_{model}_changelist", query=parameters)


def page_url(model, primary_key):
    return reverse(f"admin:memories_{model}_change", args=[quote(primary_key)])


def button_url(memory_id, button):
    """Of a button on the page of a memory: `fate` or `version/2`."""
    return page_url("memoryentry", memory_id).replace("change/", f"{button}/")
