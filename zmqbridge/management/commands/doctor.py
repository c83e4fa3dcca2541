"""`manage.py doctor`: what is well, and what to do about the rest."""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from memories.doctor import database, machine, work
from memories.doctor.findings import Check, Finding, State, examine
from zmqbridge import ports

CHECKS = (
    Check("settings", machine.look_at_settings),
    Check("disks", machine.look_at_disks),
    Check("keys", machine.look_at_keys),
    Check("embedder", machine.look_at_embedder, needs="disks"),
    Check("endpoints", ports.look_at_endpoints, needs="settings"),
    Check("database", database.look_at_server),
    Check("clock", database.look_at_clock, needs="database"),
    Check("durability", database.look_at_durability, needs="database"),
    Check("extension", database.look_at_extension, needs="database"),
    Check("migrations", database.look_at_migrations, needs="database"),
    Check("indexes", database.look_at_indexes, needs="migrations"),
    Check("backups", work.look_at_backups, needs="migrations"),
    Check("embeddings", work.look_at_embeddings, needs="migrations"),
    Check("orchestrators", work.look_at_orchestrators, needs="migrations"),
)
# 1 is also how a command ends that could not run at all, as with a wrong setting.
EXIT_CODES = {State.WELL: 0, State.WARNING: 2, State.BROKEN: 1}


class Command(BaseCommand):
    help = (
        "Look at settings, disks, keys, ports, database, backups, vectors and orchestrators, and "
        "say what to do. Exit code: 0 all is well, 2 warnings, 1 something is broken."
    )
    requires_system_checks = ()  # they are one of the checks

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object, for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        found: list[tuple[Check, Finding]] = []
        for check, finding in examine(CHECKS):
            found.append((check, finding))
            if not options["json"]:
                self._tell(check, finding)
        worst = max((finding.state for _, finding in found), default=State.WELL)
        self.stdout.write(_as_json(found, worst) if options["json"] else _summary(found))
        sys.exit(EXIT_CODES[worst])

    def _tell(self, check: Check, finding: Finding) -> None:
        style = {State.WARNING: self.style.WARNING, State.BROKEN: self.style.ERROR}
        word = f"{finding.state.name.lower():8}"
        shown = style.get(finding.state, self.style.SUCCESS)(word)
        self.stdout.write(
            f"{shown} {check.name}: {' '.join([finding.text, finding.advice])}".rstrip()
        )


def _summary(found: list[tuple[Check, Finding]]) -> str:
    states = [finding.state for _, finding in found]
    return (
        f"{states.count(State.WELL)} well, {states.count(State.WARNING)} to look at, "
        f"{states.count(State.BROKEN)} broken"
    )


def _as_json(found: list[tuple[Check, Finding]], worst: State) -> str:
    findings = [
        {
            "check": check.name,
            "state": finding.state.name.lower(),
            "text": finding.text,
            "advice": finding.advice,
        }
        for check, finding in found
    ]
    return json.dumps({"state": worst.name.lower(), "findings": findings}, indent=2)
