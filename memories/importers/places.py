"""Where the rows of an old store go: the session, its owner and the id of each memory."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import NamedTuple
from uuid import UUID

import msgspec

from memories import ids
from memories.bounded import BoundedDict
from memories.changes import rows
from memories.importers.rows import OWN_BYTES, MemoryName, OldMemory, SessionName, own_of
from memories.services.sessions import NewSession, owners_of_sessions

SOURCE_SESSION_TYPE = "import"

_SAMPLE_ROWS = 100
_ANY_TIME = datetime.min  # an id does not depend on it


class Place(NamedTuple):
    session_id: str
    owner_id: UUID


class Places:
    """Asks the database and never changes it. `made`: the sessions of the file's rows without one
    that do not exist yet; whoever stores the rows makes them."""

    def __init__(self, store: str, file: str) -> None:
        self._store = store
        self._file = file
        self._known: BoundedDict[SessionName, Place] = BoundedDict(100_000)
        self._shared: dict[str, Place] = {}
        self.made: dict[str, Place] = {}

    def of_sessions(self, names: Iterable[SessionName]) -> dict[SessionName, Place]:
        """A session that another owner has under that id is none of ours: ours gets another id."""
        wanted = {name for name in names if name.own}
        found = {name: place for name in wanted if (place := self._known.get(name))}
        natural = {name: _natural(name) for name in wanted - found.keys()}
        owners = owners_of_sessions({place.session_id for place in natural.values()})
        for name, place in natural.items():
            if owners.get(place.session_id, place.owner_id) != place.owner_id:
                place = _natural(name._replace(wanted=""))
            found[name] = place
        self._known.update({name: found[name] for name in natural})
        return found

    def of_batch(self, batch: Sequence[OldMemory]) -> dict[SessionName, Place]:
        """The places of a batch's sessions, shared ones included."""
        shared: dict[str, list[OldMemory]] = {}
        for memory in batch:
            session = memory.name.session
            if not session.own and session.user_id not in self._shared:
                shared.setdefault(session.user_id, []).append(memory)
        for user_id, sample in shared.items():
            self._shared[user_id] = self._shared_place(user_id, sample[:_SAMPLE_ROWS])
        return self.of_names(memory.name.session for memory in batch)

    def of_names(self, names: Iterable[SessionName]) -> dict[SessionName, Place]:
        """As of_batch, of sessions that have been placed; a shared one that has not is left out."""
        names = set(names)
        shared = {
            name: self._shared[name.user_id]
            for name in names
            if not name.own and name.user_id in self._shared
        }
        return self.of_sessions(names) | shared

    def _shared_place(self, user_id: str, sample: Sequence[OldMemory]) -> Place:
        """The session into which these rows went when the file, or a shorter copy of it, was
        imported before; else a new one that is told by the first row."""
        before = self._imported_before(user_id, sample)
        if before is not None:
            return before
        own = own_of(self._store, "shared session", sample[0].name.own, sample[0].content_json)
        session = NewSession(own, _ANY_TIME, user_id=user_id)
        place = Place(session.id(), session.owner_id())
        self.made[user_id] = place
        return place

    def _imported_before(self, user_id: str, sample: Sequence[OldMemory]) -> Place | None:
        candidates = self._candidates(user_id)
        told = [
            place._asdict() | {"id": an_id, "text": text, "is_same_file": is_same_file}
            for place, is_same_file in candidates
            for memory, text in zip(sample, map(_text_of, sample), strict=True)
            for an_id in possible_ids(memory.name, place)
        ]
        found = rows(_ALIKE, [msgspec.json.encode(told).decode()]) if told else []
        return Place(*found[0]) if found else None

    def _candidates(self, user_id: str) -> list[tuple[Place, bool]]:
        """The sources of this kind and user, and whether each was this very file."""
        owned = "AND s.owner_id = %(owner)s" if user_id else ""
        found = rows(
            f"""
            SELECT s.id, s.owner_id, s.metadata ->> 'file' = %(file)s FROM sessions s
            WHERE s.session_type = %(type)s AND s.user_id = %(user)s
              AND s.metadata ->> 'store' = %(store)s {owned}""",
            {
                "type": SOURCE_SESSION_TYPE,
                "user": user_id,
                "store": self._store,
                "file": self._file,
                "owner": ids.owner_of_user(user_id),
            },
        )
        return [(Place(an_id, owner_id), bool(same)) for an_id, owner_id, same in found]


# Of every source that was imported before: does it hold more of these rows with their text than
# with another text, or any of them and is it the same file? Rows that it has not say nothing: the
# file may have grown, or lost its oldest.
_ALIKE = """
SELECT m.session_id, m.owner_id
FROM jsonb_to_recordset(%s::jsonb) AS n (id text, session_id text, owner_id uuid, text text,
    is_same_file boolean)
JOIN memory_entries m ON m.owner_id = n.owner_id AND m.id = n.id AND m.session_id = n.session_id
LEFT JOIN LATERAL (
    SELECT r.content ->> 'text' AS text FROM revisions r
    WHERE r.owner_id = m.owner_id AND r.memory_id = m.id ORDER BY r.version LIMIT 1) r ON true
GROUP BY m.session_id, m.owner_id
HAVING count(*) FILTER (WHERE n.text IN (m.text, r.text)) * 2 > count(*)
    OR bool_or(n.is_same_file)
ORDER BY count(*) FILTER (WHERE n.text IN (m.text, r.text)) DESC, m.session_id LIMIT 1"""


def possible_ids(name: MemoryName, place: Place) -> list[str]:
    made_here = _made_here(name, place)
    return [name.wanted, made_here] if name.wanted else [made_here]


def _made_here(name: MemoryName, place: Place) -> str:
    """Of the session too, so that two sources whose rows have the same keys never meet."""
    own = blake2b(name.own + place.session_id.encode(), digest_size=OWN_BYTES).digest()
    return ids.memory_id(place.owner_id, own)


def memory_ids(named: Sequence[tuple[MemoryName, Place]]) -> list[str]:
    """The id of each memory: the old one, unless another memory has it already."""
    chosen = [_made_here(name, place) for name, place in named]
    wanting = [index for index, (name, _) in enumerate(named) if name.wanted]
    if not wanting:
        return chosen
    wanted = [an_id for index in wanting for an_id in (named[index][0].wanted, chosen[index])]
    found = dict(rows("SELECT id, session_id FROM memory_entries WHERE id = ANY(%s)", [wanted]))
    for index in wanting:
        name, place = named[index]
        taken = found.get(name.wanted, place.session_id) != place.session_id
        if not taken and chosen[index] not in found:
            chosen[index] = name.wanted
    return chosen


def _natural(name: SessionName) -> Place:
    session = NewSession(name.own, _ANY_TIME, name.wanted, name.user_id)
    return Place(session.id(), session.owner_id())


def _text_of(memory: OldMemory) -> str:
    return str(msgspec.json.decode(memory.content_json, type=_Text).text)


class _Text(msgspec.Struct):
    text: str = ""
