"""Which owners were erased here, and when: what a file still holds of them stays out.

Called by importers and exports, which look at each owner that a file names.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from memories.changes import rows
from memories.services.proofs import digest_of


class Erased:
    """`times`: of the last erasure, by the digest of the owner."""

    def __init__(self, times: Mapping[str, datetime]) -> None:
        self._times = times

    def at(self, owner_id: UUID) -> datetime | None:
        """None for an owner that never was."""
        return self._times.get(digest_of(owner_id)) if self._times else None


NOBODY = Erased({})


def read_erased() -> Erased:
    return Erased(
        dict(rows("SELECT owner_digest, max(erased_at) FROM erasures GROUP BY owner_digest"))
    )


def told(erased_at: datetime) -> str:
    return f"its owner was erased on {erased_at:%Y-%m-%d}"
