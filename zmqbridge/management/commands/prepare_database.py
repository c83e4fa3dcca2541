"""`manage.py prepare_database`: what `run_orchestrator` does before it serves, and no more."""

import logging
from typing import Any

from django.core.management.base import BaseCommand

from memories.startup import prepare_database
from zmqbridge.management.signals import stop_on_signals

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Wait for the database, bring the tables up to date beside an orchestrator that serves, "
        "and make the embedding model ready."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        for warning in prepare_database(migrate=True, stop=stop_on_signals()):
            logger.warning(warning)
