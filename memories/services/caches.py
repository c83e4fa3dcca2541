"""What this process remembers of owners. Forgotten when one may have been erased elsewhere."""

from memories.services.owner_indexes import forget_indexes
from memories.services.sessions import forget_owners
from memories.services.statistics import forget_statistics
from memories.services.vectors import forget_samples


def forget_everything() -> None:
    forget_owners()
    forget_samples()
    forget_indexes()
    forget_statistics()
