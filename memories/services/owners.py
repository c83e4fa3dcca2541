"""Which owner each memory id belongs to, so that every statement can name both."""

from collections.abc import Iterable

from memories import ids
from memories.changes import Name, rows


def names_of(memory_ids: Iterable[str]) -> dict[str, Name]:
    """A Name for each id; an id that was made elsewhere and is not stored is left out.

    Ids that were made here carry their owner; only foreign ones cost a look-up.
    """
    wanted = set(memory_ids)
    names = {an_id: Name(owner, an_id) for an_id in wanted if (owner := ids.owner_in(an_id))}
    if foreign := sorted(wanted - names.keys()):
        found = rows("SELECT owner_id, id FROM memory_entries WHERE id = ANY(%s)", [foreign])
        names |= {an_id: Name(owner, an_id) for owner, an_id in found}
    return names
