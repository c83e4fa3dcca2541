"""The purge job: rounds of retention, one step at a time. Called by jobs."""

from collections.abc import Iterator

from django.utils import timezone

from memories.services.ages import Ages
from memories.services.clearing import Clearing
from memories.services.retention import due_policies


class PurgeWork:
    """Each call is a step of a round, or begins one."""

    def __init__(self, ages: Ages) -> None:
        self._ages = ages
        self._steps: Iterator[None] = iter(())
        self._is_begun = False

    def __call__(self) -> bool:
        """Returns whether the round goes on."""
        if not self._is_begun:
            now = timezone.now()
            self._steps = Clearing(self._ages, due_policies(now), now).steps()
        self._is_begun = False  # after a failure the next call begins anew
        for _ in self._steps:
            self._is_begun = True
            return True
        return False
