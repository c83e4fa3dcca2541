"""`manage.py restore`: bring a backup back, whole or not at all."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils import timezone

from memories.backups.archive import told
from memories.backups.bases import make_base
from memories.backups.checking import check_file, check_schema
from memories.backups.commands import (
    describe,
    describe_base,
    ending_in_one_sentence,
    key_file_of,
    leave_the_database,
    showing_bytes,
)
from memories.backups.erasing import RepeatedErasures, gather_proofs, read_proofs
from memories.backups.recovering import learn_of_erasures, read_moment, recover
from memories.backups.restoring import compare_content, fill_database, identities_for
from memories.backups.scratch import scratch_database
from memories.backups.server import Server, find_server
from memories.backups.swapping import is_used, swap_in
from memories.services.backups import record_backup
from memories.services.orchestrators import forget_orchestrators, running_orchestrators
from memories.services.proofs import ProofFile, keep_in_table, sync_file


class Command(BaseCommand):
    help = (
        "Restore a backup into an empty database or, with --replace, in place of what is there. "
        "It is filled and compared beside the present one, and takes its name only then."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "file", type=Path, nargs="?", metavar="FILE", help="what `backup` wrote"
        )
        parser.add_argument(
            "--to",
            metavar="TIME",
            help="instead of a file: the embedded server as it was at that time, or `latest`",
        )
        parser.add_argument(
            "--replace", action="store_true", help="even if the database is used: drop what it has"
        )
        parser.add_argument(
            "--key-file",
            type=Path,
            metavar="FILE",
            help="the age keys that open it (default: BACKUP_KEY_FILE)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path | None = options["file"]
        if (path is None) == (options["to"] is None):
            raise CommandError("Give either a FILE or --to TIME.")
        if path is None:
            self._recover(options["to"])
        else:
            self._restore(path, options)

    def _restore(self, path: Path, options: dict[str, Any]) -> None:
        with ending_in_one_sentence():
            manifest = check_file(path)
            check_schema(manifest)
            identities = identities_for(manifest, key_file_of(options))
            server = find_server()
            _refuse_unless_free(server, options["replace"])
            gather_proofs(server, _proof_file())  # what is damaged is told before hours of work
            with scratch_database(server) as database:
                with showing_bytes("restoring", manifest.size_bytes) as tell:
                    fill_database(server, database, path, identities, tell)
                compare_content(server, database, manifest)
                repeated = RepeatedErasures(server, database, _proof_file())
                repeated.repeat()
                _refuse_unless_free(server, options["replace"])  # it may have taken hours
                swap_in(server, database, repeated.repeat)
        self.stdout.write(
            f"Restored {manifest.row_count} rows as they were on "
            f"{manifest.made_at:%Y-%m-%d %H:%M:%S} UTC."
        )
        self._tell_erased(repeated.count)
        with ending_in_one_sentence():
            call_command("migrate", verbosity=0, interactive=False)
            forget_orchestrators()
            keep_in_table(repeated.proofs)
            sync_file(_proof_file())
            record_backup(describe(path, manifest, timezone.now()))
        self.stdout.write("The tables are up to date. Start the orchestrators again.")

    def _recover(self, moment: str) -> None:
        with ending_in_one_sentence():
            until = read_moment(moment)
            why_not = learn_of_erasures(connection.settings_dict, _proof_file())
            if why_not:
                self.stderr.write(
                    f"The present server cannot be asked who was erased ({why_not}): what "
                    f"{_proof_file().path} tells of is erased again."
                )
            proofs = read_proofs(_proof_file())
            done = recover(connection.settings_dict, settings.ARCHIVE_DIR, until, proofs)
        last = f"{told(done.last_commit)}" if done.last_commit else "before the base backup's end"
        self.stdout.write(
            f"Recovered {done.rows} rows in {done.tables} tables; the last change in them: {last}. "
            f"{done.searches} searches found what they should."
        )
        self._tell_erased(done.erased)
        if done.aside:
            self.stdout.write(f"What was there before: {done.aside}. Remove it when all is well.")
        with ending_in_one_sentence():
            call_command("migrate", verbosity=0, interactive=False)
            forget_orchestrators()
            keep_in_table(proofs)
            sync_file(_proof_file())
            if settings.WAL_ARCHIVE:
                base = make_base(find_server(), settings.ARCHIVE_DIR)
                record_backup(describe_base(base))
                self.stdout.write(f"A new base backup: {base.folder}")
        self.stdout.write("The tables are up to date. Start the orchestrators again.")

    def _tell_erased(self, count: int) -> None:
        if count:
            self.stdout.write(f"{count} of its owners had been erased since, and are again.")


def _proof_file() -> ProofFile:
    return ProofFile(settings.DATA_DIR / "erasures")


def _refuse_unless_free(server: Server, may_replace: bool) -> None:
    """Raise CommandError where something is used, or would be lost unasked."""
    if not is_used(server):
        return
    if not may_replace:
        raise CommandError(
            f"The database {server.database} is not empty. To drop all that it has: --replace."
        )
    try:
        has_orchestrators = "orchestrators" in connection.introspection.table_names()
        running = running_orchestrators() if has_orchestrators else []
    finally:
        leave_the_database()
    if running:
        raise CommandError(f"{', '.join(running)} still runs: stop it first.")
