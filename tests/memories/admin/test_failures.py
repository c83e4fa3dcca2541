"""What a person sees where a page fails."""

import pytest
from django.test import Client
from django.urls import reverse

from memories.admin.users import UsersPage

pytestmark = pytest.mark.django_db


def test_what_is_not_there(admin_client):
    unknown = reverse("memories:user", args=["00000000-0000-0000-0000-000000000000"])
    response = admin_client.get(unknown)
    assert (response.status_code, "There is nothing here" in response.text) == (404, True)


def test_a_page_that_fails(admin_user, monkeypatch, caplog):
    client = Client(raise_request_exception=False)
    client.force_login(admin_user)

    def fail(*_, **__):
        raise RuntimeError("secret")

    monkeypatch.setattr(UsersPage, "get_context_data", fail)
    response = client.get(reverse("memories:users"))
    assert (response.status_code, "secret" in response.text) == (500, False)
    assert "The log of the admin tells why" in response.text
    assert "secret" in caplog.text


def test_what_cannot_be_right(settings):
    settings.ALLOWED_HOSTS = ["here.example"]
    response = Client().get("/admin/", headers={"host": "elsewhere.example"})
    assert (response.status_code, "Not understood" in response.text) == (400, True)
