"""`manage.py make_admin`: the first account of the admin. `make run` calls it on every start."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError, ProgrammingError, transaction
from django.utils.crypto import get_random_string

_PASSWORD_CHARACTERS = 16
_ALPHABET = "abcdefghjkmnpqrstuvwxyzACDEFGHJKLMNPQRTUVWXY34679"  # none looks like another


class Command(BaseCommand):
    help = "Make the admin's first account and print its password once; later runs change nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--username", default="admin", help="its name (default: admin)")

    def handle(self, *args: Any, **options: Any) -> None:
        username: str = options["username"]
        try:
            known = _superusers()
            password = None if known else _make(username)
        except ProgrammingError as error:
            raise CommandError("There are no tables yet: run `manage.py migrate` first.") from error
        if password:
            self.stdout.write(
                f"The admin's account is {username}, its password {password}\n"
                "It is shown this once. Another: python manage.py changepassword " + username
            )
        else:
            names = ", ".join(known or _superusers())
            self.stdout.write(
                f"The admin has an account: {names}. A new password: "
                "python manage.py changepassword NAME"
            )


def _superusers() -> list[str]:
    users = get_user_model()._default_manager.filter(is_superuser=True, is_active=True)
    return list(users.order_by("pk").values_list("username", flat=True)[:10])


def _make(username: str) -> str | None:
    """The password of a new account, or None where another process made one meanwhile."""
    password = get_random_string(_PASSWORD_CHARACTERS, _ALPHABET)
    try:
        with transaction.atomic():
            get_user_model()._default_manager.create_superuser(username, password=password)
    except IntegrityError as error:
        if _superusers():
            return None
        raise CommandError(
            f"The user {username} exists, but is no active superuser: take another --username."
        ) from error
    return password
