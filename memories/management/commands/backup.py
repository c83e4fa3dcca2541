"""`manage.py backup`: the whole database into one file that `restore` brings back."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from memories.backups.archive import remove_older_bases
from memories.backups.bases import make_base
from memories.backups.commands import (
    describe,
    describe_base,
    ending_in_one_sentence,
    key_file_of,
    showing_bytes,
)
from memories.backups.dumping import database_size_bytes, make_backup
from memories.backups.keeping import Keep, remove_older
from memories.backups.manifest import read_manifest
from memories.backups.sealing import read_recipients
from memories.backups.server import find_server
from memories.services.backups import forget_backups, record_backup


class Command(BaseCommand):
    help = "Back the database up, while it is used, into a file that `restore` brings back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--to", type=Path, metavar="FOLDER", help="where to (default: BACKUP_DIR)"
        )
        parser.add_argument(
            "--keep-count", type=int, metavar="N", help="keep the newest N, and remove older ones"
        )
        parser.add_argument(
            "--keep-days", type=float, metavar="D", help="keep those of D days; remove older ones"
        )
        parser.add_argument(
            "--key-file",
            type=Path,
            metavar="FILE",
            help="encrypt for the keys of this age file (default: BACKUP_KEY_FILE)",
        )

        parser.add_argument(
            "--base",
            action="store_true",
            help="a base backup of the embedded server into ARCHIVE_DIR, for `restore --to TIME`",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        keep = _keep(options)
        if options["base"]:
            if options["to"] or options["key_file"]:
                raise CommandError(
                    "--base goes to ARCHIVE_DIR, not encrypted: neither --to nor --key-file fit it."
                )
            with ending_in_one_sentence():
                self._back_up_base(keep)
            return
        folder: Path = options["to"] or settings.BACKUP_DIR
        with ending_in_one_sentence():
            key_file = key_file_of(options)
            recipients = read_recipients(key_file) if key_file else []
            server = find_server()
            with showing_bytes("backing up", database_size_bytes(server)) as tell:
                path = make_backup(server, folder, recipients, tell)
            manifest = read_manifest(path)
            record_backup(describe(path, manifest))
            self.stdout.write(
                f"{path}\n{manifest.row_count} rows, {manifest.size_bytes} bytes, "
                f"SHA-256 {manifest.sha256}"
            )
            self._tell_removed(remove_older(folder, path, keep))

    def _back_up_base(self, keep: Keep) -> None:
        base = make_base(find_server(), settings.ARCHIVE_DIR)
        record_backup(describe_base(base))
        self.stdout.write(f"{base.folder}\n{base.manifest.size_bytes} bytes")
        self._tell_removed(remove_older_bases(base, keep))

    def _tell_removed(self, removed: list[Path]) -> None:
        forget_backups(each.resolve() for each in removed)
        for each in removed:
            self.stdout.write(f"removed {each}")


def _keep(options: dict[str, Any]) -> Keep:
    keep = Keep(options["keep_count"], options["keep_days"])
    if keep.count is not None and keep.count < 1:
        raise CommandError(f"--keep-count is {keep.count}; give 1 or more.")
    if keep.days is not None and not 0 < keep.days <= 36_500:
        raise CommandError(f"--keep-days is {keep.days:g}; it must be above 0, at most 36500.")
    return keep
