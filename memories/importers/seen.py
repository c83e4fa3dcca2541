"""What stands in the database of a row of the file: compared by what both sides hold.

Both sides are made into the same JSON by PostgreSQL itself, and hashed there.
"""

from typing import NamedTuple

CHECKSUM_MODULUS = 1 << 64

# What an import changes bears this name, in the history of a memory too.
CHANGED_BY = "import"


class Seen(NamedTuple):
    """The hashes are 64 bits; `here` is 0 where nothing is there. `is_changed_here`: by another
    hand than an import, so that the file has no more to say about it."""

    is_there: bool
    is_changed_here: bool = False
    in_file: int = 0
    here: int = 0

    @property
    def is_same(self) -> bool:
        return self.is_there and self.in_file == self.here


MISSING = Seen(is_there=False)
