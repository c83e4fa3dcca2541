"""The session memory: tables `sessions` and `interactions`, times in the writer's local time."""

from collections.abc import Iterator
from functools import lru_cache

from memories.importers.cells import as_raw, plain, texts_in
from memories.importers.names import session_name
from memories.importers.rows import MemoryName, OldMemory, OldSession, SessionName, own_of
from memories.importers.source import Source
from memories.importers.stores import OldStore
from memories.importers.values import clean_text, encode, read_time

_SESSION = ("session_id", "user_id", "created_at", "last_active", "metadata")
_INTERACTION = ("id", "session_id", "timestamp", "role", "content", "metadata")


class SessionMemory(OldStore):
    name = "session"
    counted = {"sessions": _SESSION, "interactions": _INTERACTION}
    needs = {
        "sessions": frozenset({"session_id"}),
        "interactions": frozenset({"session_id", "content"}),
    }

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._name = lru_cache(10_000)(self._new_name)

    def sessions(self) -> Iterator[OldSession]:
        for row in self.source.rows(
            f"SELECT s.rowid, {self.source.columns('sessions', _SESSION)} FROM sessions s"
            " ORDER BY s.rowid"
        ):
            yield self._session(*row)
        yield from self._recovered()

    def memories(self) -> Iterator[OldMemory]:
        for row in self.source.rows(
            f"""
            SELECT i.rowid, {self.source.columns("interactions", _INTERACTION)},
                {self.source.columns("sessions", ["user_id"])}
            FROM interactions i LEFT JOIN sessions s ON s.session_id = i.session_id
            ORDER BY i.rowid"""
        ):
            yield self._memory(*row)

    def _session(
        self,
        rowid: int,
        an_id: object,
        user: object,
        created_at: object,
        last_active: object,
        metadata: object,
    ) -> OldSession:
        cells = self.cells("sessions", an_id or rowid)
        began_at = read_time(created_at, self.source.zone)
        return OldSession(
            "sessions",
            cells.row,
            self._name(an_id, user),
            encode(cells.fields(metadata, "metadata")),
            began_at,
            cells.later_time(last_active, "last_active", began_at),
        )

    def _recovered(self) -> Iterator[OldSession]:
        """Sessions that interactions name and the file has not."""
        columns = self.source.columns("interactions", ["id", "timestamp"])
        for row, first, an_id, _ in self.source.rows(
            f"""
            SELECT {columns}, i.session_id, min(i.rowid)
            FROM interactions i
            WHERE i.session_id <> '' AND NOT EXISTS (
                SELECT 1 FROM sessions s WHERE s.session_id = i.session_id)
            GROUP BY i.session_id"""
        ):
            cells = self.cells("interactions", row)
            cells.note("its session does not exist", "made, and marked as recovered")
            yield OldSession(
                "recovered sessions",
                cells.row,
                self._name(an_id, None),
                b'{"recovered":true}',
                read_time(first, self.source.zone),
            )

    def _memory(
        self,
        rowid: int,
        an_id: object,
        session_id: object,
        timestamp: object,
        role: object,
        content: object,
        metadata: object,
        user: object,
    ) -> OldMemory:
        cells = self.cells("interactions", an_id or rowid)
        fields = cells.fields(metadata, "metadata")
        said_by = cells.text(role, "role")
        text = cells.text(content, "content")
        return OldMemory(
            "interactions",
            cells.row,
            MemoryName(
                self._name(session_id, user),
                own_of(self.name, an_id or rowid, session_id, timestamp, role, content),
            ),
            "conversation",
            encode(
                {
                    "text": text,
                    "role": said_by,
                    "timestamp": plain(timestamp),
                    "metadata": fields or as_raw({}),
                }
            ),
            read_time(timestamp, self.source.zone),
            cells.tags("conversation", said_by, *texts_in(fields.get("tags"))),
        )

    def _new_name(self, session_id: object, user: object) -> SessionName:
        cells = self.cells("sessions", session_id)
        return session_name(cells.user(user), clean_text(session_id), self.name)
