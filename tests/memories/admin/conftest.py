import pytest
from django.contrib.admin.utils import quote
from django.urls import reverse


@pytest.fixture(autouse=True)
def _quick_pages(settings):
    """Static files are not collected for a test, and a password need not be slow to check."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]


def list_url(model, **parameters):
    return reverse(f"admin:memories_{model}_changelist", query=parameters)


def page_url(model, primary_key):
    return reverse(f"admin:memories_{model}_change", args=[quote(primary_key)])


def button_url(memory_id, button):
    """Of a button on the page of a memory: `fate` or `version/2`."""
    return page_url("memoryentry", memory_id).replace("change/", f"{button}/")
