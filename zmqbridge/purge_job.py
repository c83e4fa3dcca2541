"""The purge job: rounds of retention, one step at a time. Called by jobs."""

import logging
from collections.abc import Iterator

from django.utils import timezone

from memories.errors import MemoriesError
from memories.services.ages import Ages
from memories.services.clearing import Clearing
from memories.services.proofs import ProofFile, sync_file
from memories.services.retention import due_policies

logger = logging.getLogger(__name__)


class PurgeWork:
    """Each call is a step of a round, or begins one. A round also learns who was erased by other
    machines, so that a restore on this one knows."""

    def __init__(self, ages: Ages, proof_file: ProofFile) -> None:
        self._ages = ages
        self._proof_file = proof_file
        self._steps: Iterator[None] = iter(())
        self._is_begun = False

    def __call__(self) -> bool:
        """Returns whether the round goes on."""
        if not self._is_begun:
            self._learn_of_erasures()
            now = timezone.now()
            self._steps = Clearing(self._ages, due_policies(now), now).steps()
        self._is_begun = False  # after a failure the next call begins anew
        for _ in self._steps:
            self._is_begun = True
            return True
        return False

    def _learn_of_erasures(self) -> None:
        """A file that cannot be written is no reason to purge nothing."""
        try:
            sync_file(self._proof_file)
        except (MemoriesError, OSError) as error:
            logger.warning("The file of erasures is not up to date: %s", error)
