"""The options that the commands which read old stores share."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from memories.ids import ID_MAX_CHARACTERS
from memories.importers.following import Reading
from memories.importers.kinds import BY_NAME
from memories.importers.zones import machine_zone, read_zone


def add_reading_options(parser: ArgumentParser) -> None:
    parser.add_argument("--format", choices=sorted(BY_NAME), help="read it as this alone")
    parser.add_argument("--user", default="", help="whose are the rows that name no user")
    parser.add_argument(
        "--timezone", default="", help="of times without an offset (default: the machine's)"
    )
    parser.add_argument(
        "--erased-too",
        action="store_true",
        help="also what is older than the erasure of its owner here",
    )


def read_reading_options(options: dict[str, Any]) -> Reading:
    user: str = options["user"]
    if len(user) > ID_MAX_CHARACTERS or "\0" in user:
        raise CommandError(f"--user has more than {ID_MAX_CHARACTERS} characters.")
    try:
        zone = (
            read_zone(options["timezone"])
            if options["timezone"]
            else machine_zone(settings.MACHINE_TZ)
        )
    except ValueError as error:
        raise CommandError(f"--timezone: {error}") from None
    return Reading(options["format"] or "", user, zone, options["erased_too"])
