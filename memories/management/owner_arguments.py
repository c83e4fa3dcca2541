"""How commands are told whose data they are about: USER, --session or --owner."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError

from memories.services.named_owner import Owner, owner_of


def add_owner_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("user", nargs="?", default="", metavar="USER", help="the user's id")
    parser.add_argument("--session", default="", help="instead: a session that has no user")
    parser.add_argument("--owner", default="", metavar="UUID", help="instead: an owner's id")


def read_owner(options: dict[str, Any], or_half_erased: bool = False) -> Owner:
    """As owner_of. Raises CommandError too, and OwnerNotFound where nothing is stored of it."""
    user, session, owner = options["user"], options["session"], options["owner"]
    if sum(map(bool, (user, session, owner))) != 1:
        raise CommandError("Name one owner: a USER, or --session ID, or --owner UUID.")
    if "\0" in user + session:
        raise CommandError("No user and no session has U+0000 in its id.")
    try:
        return owner_of(user, session, UUID(owner) if owner else None, or_half_erased)
    except ValueError:
        raise CommandError(f"--owner is {owner!r}, which is no UUID.") from None
