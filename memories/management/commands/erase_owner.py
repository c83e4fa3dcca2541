"""`manage.py erase_owner`: remove everything of a user, for good."""

import getpass
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from memories.backups.commands import ending_in_one_sentence
from memories.backups.erasing import RepeatedErasures
from memories.backups.server import find_server
from memories.management.failures import told_in_one_sentence
from memories.management.owner_arguments import add_owner_arguments, read_owner
from memories.management.pacing import go_gently
from memories.services.erase import Erasure
from memories.services.named_owner import Owner
from memories.services.orchestrators import running_orchestrators
from memories.services.proofs import ProofFile, sync_file


class Command(BaseCommand):
    help = (
        "Remove everything of a user at once: sessions, memories, revisions, vectors, "
        "relationships, profile, states, access log and kept answers. It cannot be undone; a "
        "proof without content is kept in the database and in DATA_DIR/erasures."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_owner_arguments(parser)
        parser.add_argument("--yes", action="store_true", help="do not ask for the name again")
        parser.add_argument("--by", default="", metavar="NAME", help="who erases, for the proof")

        parser.add_argument(
            "--again",
            action="store_true",
            help="instead of a user: all whom DATA_DIR/erasures tells of and the database does not",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["again"]:
            if options["user"] or options["session"] or options["owner"]:
                raise CommandError("--again is for all who were erased: name no owner.")
            self._again()
            return
        with told_in_one_sentence("Run the same command again: it erases what is left."):
            file = ProofFile(settings.DATA_DIR / "erasures")
            sync_file(file)  # of an erasure that was cut short, whatever else is asked
            owner = read_owner(options, or_half_erased=True)
            if not options["yes"]:
                self._ask(owner)
            erasure = Erasure(owner, (options["by"] or _account())[:150], file)
            go_gently(erasure.steps())
        for table, count in erasure.proof.counts.items():
            self.stdout.write(f"{table}: {count} {'row' if count == 1 else 'rows'} removed")
        self.stdout.write(
            f"{owner.name} is erased. The proof is {erasure.proof.id}, also in {file.path}.\n"
            "Older backups and exports still hold what there was; `restore` erases it again."
        )

    def _again(self) -> None:
        """For a server that was recovered by its own means: to a time before these erasures."""
        with ending_in_one_sentence():
            running = running_orchestrators()
            if running:
                raise CommandError(f"{', '.join(running)} still runs: stop it first.")
            server, file = find_server(), ProofFile(settings.DATA_DIR / "erasures")
            repeated = RepeatedErasures(server, server.database, file)
            repeated.repeat()
        known = len(repeated.proofs)
        self.stdout.write(f"{known} erasures are known; {repeated.count} owners were erased again.")

    def _ask(self, owner: Owner) -> None:
        self.stdout.write(f"Everything of {owner.name!r} will be removed for good.")
        try:
            typed = input("Type the name again: ")
        except EOFError:
            raise CommandError("Nothing was typed, and nothing was erased; or use --yes.") from None
        if typed != owner.name:
            raise CommandError(f"{typed!r} is not {owner.name!r}: nothing was erased.")


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name
        return "unknown"
