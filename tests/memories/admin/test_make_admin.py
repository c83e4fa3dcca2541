"""The first login."""

import re
from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

pytestmark = pytest.mark.django_db


def run(**options):
    output = StringIO()
    call_command("make_admin", stdout=output, **options)
    return output.getvalue()


def test_the_first_run_prints_a_login_that_works(client):
    [(name, password)] = re.findall(r"account is (\S+), its password (\S+)", run())
    assert len(password) >= 16
    assert client.login(username=name, password=password)
    assert client.get("/admin/").status_code == 200
    assert password not in get_user_model().objects.get().password


def test_a_later_run_changes_nothing_and_shows_no_password():
    run()
    before = get_user_model().objects.get().password
    said = run(username="another")
    assert "has an account: admin" in said
    assert "its password" not in said
    assert get_user_model().objects.get().password == before


def test_a_name_that_is_taken_is_refused():
    get_user_model().objects.create_user("admin")
    with pytest.raises(CommandError, match="no active superuser"):
        run()
