"""`manage.py purge`: apply the retention policies, and remove for good what is over."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from memories.management.failures import told_in_one_sentence
from memories.management.pacing import go_gently
from memories.services.clearing import Clearing
from memories.services.retention import count_fitting, list_policies


class Command(BaseCommand):
    help = (
        "Apply the retention policies now, and remove for good what was deleted longer than "
        "PURGE_GRACE_DAYS ago and what else is over. Orchestrators do the same by themselves."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="tell what would go, and change nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        with told_in_one_sentence("What is gone is gone; run the same command again."):
            policies = [policy for policy in list_policies() if policy.is_active]
            clearing = Clearing(settings.AGES, policies, now)
            if options["dry_run"]:
                for policy in policies:
                    count = count_fitting(policy, now)
                    self.stdout.write(f"policy {policy.name}: {count} memories would be deleted")
                self._tell(clearing.purge.count(), "would be removed for good")
                return
            _go(clearing)
        for done in clearing.passes:
            again = f"; `restore` with {done.operation_id} undoes it" if done.deleted else ""
            self.stdout.write(f"policy {done.policy.name}: {done.deleted} memories deleted{again}")
        self._tell(clearing.purge.gone, "removed for good")

    def _tell(self, counts: dict[str, int], what: str) -> None:
        told = {table: count for table, count in sorted(counts.items()) if count}
        for table, count in told.items():
            self.stdout.write(f"{table}: {count} {'row' if count == 1 else 'rows'} {what}")
        if not told:
            self.stdout.write(f"nothing {what}")


def _go(clearing: Clearing) -> None:
    go_gently(clearing.steps())
    if clearing.is_refused:
        raise CommandError("A purge is at work already, in an orchestrator or a command.")
