"""`manage.py verify_backup`: prove that a backup restores, beside the database that is served."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from memories.backups.checking import check_file
from memories.backups.commands import ending_in_one_sentence, key_file_of, showing_bytes
from memories.backups.restoring import compare_content, fill_database, identities_for
from memories.backups.scratch import scratch_database
from memories.backups.server import find_server
from memories.backups.trying import try_searches
from memories.services.backups import Kind, record_verification


class Command(BaseCommand):
    help = (
        "Restore a backup into a database of its own, compare it with its manifest, search it, "
        "and drop it. What is served is not touched."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="what `backup` wrote")
        parser.add_argument(
            "--key-file",
            type=Path,
            metavar="FILE",
            help="the age keys that open it (default: BACKUP_KEY_FILE)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        with ending_in_one_sentence():
            manifest = check_file(path)
            identities = identities_for(manifest, key_file_of(options))
            server = find_server()
            with (
                scratch_database(server) as database,
                showing_bytes("restoring", manifest.size_bytes) as tell,
            ):
                fill_database(server, database, path, identities, tell)
                compare_content(server, database, manifest)
                searches = try_searches(server, database)
            record_verification(Kind.DUMP, manifest.made_at, timezone.now())
        self.stdout.write(
            f"{path} is whole: {manifest.row_count} rows in {len(manifest.content)} tables "
            f"are as they were on {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC, "
            f"and {searches} searches found what they should."
        )
