"""What this process remembers of owners. Forgotten when one may have been erased elsewhere."""

from memories.services.search.lacking import forget_lacking
from memories.services.search.owner_indexes import forget_indexes
from memories.services.search.statistics import forget_statistics
from memories.services.search.vectors import forget_samples
from memories.services.sessions import forget_owners


def forget_everything() -> None:
    forget_owners()
    forget_samples()
    forget_indexes()
    forget_statistics()
    forget_lacking()
