"""How long things are kept. Filled from the settings, and handed to the purge."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ages:
    """After how many days each goes. None: it stays as long as its memory or its owner."""

    deleted_days: float = 30
    request_key_days: float = 7
    access_log_days: float | None = None
    revision_days: float | None = None

    @property
    def trash_days(self) -> float:
        """How long the row of what was deleted stays. A `create` that is sent again is known by it,
        so it is never less than the time for which requests are."""
        return max(self.deleted_days, self.request_key_days)
