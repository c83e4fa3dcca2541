"""How long things are kept. Filled from the settings, and handed to the purge."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ages:
    """After how many days each goes. None: it stays as long as its memory or its owner."""

    deleted_days: float = 30
    request_key_days: float = 7
    access_log_days: float | None = None
    revision_days: float | None = None
