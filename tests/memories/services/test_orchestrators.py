"""Which orchestrators run, and which fell silent."""

from datetime import timedelta

import pytest
from django.utils import timezone

from memories.models import Orchestrator
from memories.services.orchestrators import running_orchestrators, silent_orchestrators

pytestmark = pytest.mark.django_db


def keep_row(instance, silent, has_stopped=False):
    seen_at = timezone.now() - silent
    Orchestrator.objects.create(
        instance=instance,
        version="1",
        started_at=seen_at,
        seen_at=seen_at,
        stopped_at=seen_at if has_stopped else None,
    )


def test_who_stopped_or_was_lost_long_ago_neither_runs_nor_is_news():
    keep_row("kitchen", timedelta(seconds=1))
    keep_row("attic", timedelta(seconds=2))
    keep_row("killed", timedelta(minutes=1))
    keep_row("lost long ago", timedelta(days=2))
    keep_row("stopped now", timedelta(seconds=1), has_stopped=True)
    keep_row("stopped before", timedelta(minutes=1), has_stopped=True)
    assert running_orchestrators() == ["attic", "kitchen"]
    assert silent_orchestrators() == ["killed"]
