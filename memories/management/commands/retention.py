"""`manage.py retention`: which memories are deleted by their age."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from memories.management.failures import told_in_one_sentence
from memories.models import RetentionPolicy
from memories.services.retention import (
    NewPolicy,
    add_policy,
    count_fitting,
    list_policies,
    remove_policy,
)


class Command(BaseCommand):
    help = (
        "Policies by type, tag, priority and age. What fits one is deleted softly, once a day or "
        "by `purge`, and can be restored for PURGE_GRACE_DAYS."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="the policies, and how many memories each fits now")
        add = verbs.add_parser("add", help="a policy; all that is given has to fit")
        add.add_argument("name", metavar="NAME")
        add.add_argument(
            "--older-than-days",
            type=float,
            required=True,
            metavar="D",
            help="since it was last changed or restored",
        )
        add.add_argument("--type", action="append", default=[], help="may be repeated: any of them")
        add.add_argument("--tag", action="append", default=[], help="may be repeated: any of them")
        add.add_argument("--max-priority", type=int, metavar="P", help="this one and lower ones")
        remove = verbs.add_parser("remove", help="a policy; what it deleted stays deleted")
        remove.add_argument("name", metavar="NAME")

    def handle(self, *args: Any, **options: Any) -> None:
        with told_in_one_sentence("Nothing was changed."):
            getattr(self, f"_{options['verb']}")(options)

    def _list(self, options: dict[str, Any]) -> None:
        policies = list_policies()
        for policy in policies:
            fits = f"{count_fitting(policy, timezone.now())} fit now"
            state = fits if policy.is_active else "switched off"
            self.stdout.write(f"{policy.name}: {_told(policy)}; {state}; {_last_pass(policy)}")
        if not policies:
            self.stdout.write("There are no policies: nothing is deleted by its age.")

    def _add(self, options: dict[str, Any]) -> None:
        new = NewPolicy(
            options["name"],
            options["older_than_days"],
            options["type"],
            options["tag"],
            options["max_priority"],
        )
        add_policy(new)
        [policy] = [each for each in list_policies() if each.name == new.name]
        count = count_fitting(policy, timezone.now())
        self.stdout.write(
            f"{policy.name}: {_told(policy)}. {count} fit now; they are deleted within a minute "
            "where an orchestrator runs, or by `purge`."
        )

    def _remove(self, options: dict[str, Any]) -> None:
        if not remove_policy(options["name"]):
            names = ", ".join(policy.name for policy in list_policies()) or "none"
            raise CommandError(f"There is no policy {options['name']!r}. There are: {names}.")
        self.stdout.write(f"{options['name']} is removed. What it deleted stays deleted.")


def _told(policy: RetentionPolicy) -> str:
    parts = [f"older than {policy.older_than_days:g} days"]
    if policy.memory_types:
        parts.append(f"of type {' or '.join(policy.memory_types)}")
    if policy.tags:
        parts.append(f"with tag {' or '.join(policy.tags)}")
    if policy.max_priority is not None:
        parts.append(f"of priority {policy.max_priority} or lower")
    return ", ".join(parts)


def _last_pass(policy: RetentionPolicy) -> str:
    if policy.passed_at is None:
        return "not applied yet"
    told = f"last applied {policy.passed_at:%Y-%m-%d %H:%M} UTC: {policy.passed_count} deleted"
    return told + (f" ({policy.passed_operation_id})" if policy.passed_operation_id else "")
