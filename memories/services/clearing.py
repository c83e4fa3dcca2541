"""One round of retention: policies delete softly, then goes for good what is over.

Called by the purge job and `manage.py purge`, which decide how quickly one step follows another.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from memories.locks import held_alone
from memories.models import RetentionPolicy
from memories.services.ages import Ages
from memories.services.forget import expire_memories
from memories.services.purge import Purge
from memories.services.retention import Pass


class Clearing:
    """`steps` does the work, each step a short transaction. `is_refused`: somebody else is at it,
    and nothing was done."""

    def __init__(self, ages: Ages, policies: Sequence[RetentionPolicy], now: datetime) -> None:
        self.purge = Purge(ages, now)
        self.passes = [Pass(policy, now) for policy in policies]
        self.is_refused = False

    def steps(self) -> Iterator[None]:
        with held_alone("purge") as is_alone:
            self.is_refused = not is_alone
            if is_alone:
                yield from self._all_steps()

    def _all_steps(self) -> Iterator[None]:
        for work in (expire_memories, *(each.step for each in self.passes), self.purge.step):
            while work():
                yield
            yield
