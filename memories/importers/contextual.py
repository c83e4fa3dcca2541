"""The contextual memory: a JSON file with entries and summaries by session, or, older, with a
list of contexts for each user."""

from collections.abc import Iterator
from typing import Any

import msgspec

from memories.importers.cells import Cells, as_raw
from memories.importers.json_stores import LATER, JsonStore, keys_in, read_fields
from memories.importers.names import session_name
from memories.importers.rows import MemoryName, OldMemory, OldSession, SessionName
from memories.importers.source import Source
from memories.importers.values import clean_text, encode


class Contextual(JsonStore):
    name = "contextual"
    counted = {"entries": (), "objects": (), "others": ()}

    def rows_of(self, table: str) -> int:
        """A summary becomes a part of its session, and is counted there."""
        return super().rows_of(table) - (self._summaries() if table == "objects" else 0)

    @classmethod
    def fits(cls, source: Source) -> bool:
        if not super().fits(source):
            return False
        return source.count("sections") > 0 or "context" in keys_in(source, "entries", "")

    def sessions(self) -> Iterator[OldSession]:
        self.source.index("entries", "key")
        self.source.index("objects", "key")
        for key, first, last, summary in self.source.rows(
            """
            SELECT k.key,
                (SELECT e.value FROM entries e WHERE e.section = 'sessions' AND e.key = k.key
                 ORDER BY e.rowid LIMIT 1),
                (SELECT e.value FROM entries e WHERE e.section = 'sessions' AND e.key = k.key
                 ORDER BY e.rowid DESC LIMIT 1),
                (SELECT o.value FROM objects o WHERE o.section = 'summaries' AND o.key = k.key
                 ORDER BY o.rowid DESC LIMIT 1)
            FROM (SELECT key FROM lists WHERE section = 'sessions'
                  UNION SELECT key FROM objects WHERE section = 'summaries') k"""
        ):
            yield self._session(key, first, last, summary)

    def memories(self) -> Iterator[OldMemory]:
        for entry in self.entries("sessions"):
            kind = msgspec.json.decode(entry.fields.get("type", as_raw("")))
            yield OldMemory(
                "entries",
                entry.cells.row,
                MemoryName(self._name(entry.key), entry.own),
                entry.cells.memory_type(kind if isinstance(kind, str) else "", "conversation"),
                self.memory_content(entry, "content"),
                self.time_of(entry.fields),
                [],
            )
        yield from self.memories_of_users("context")

    def unread(self) -> Iterator[tuple[str, str, str]]:
        """What stands where a list or a summary should."""
        for table, key in self.source.rows(
            """
            SELECT 'objects', key FROM objects WHERE section <> 'summaries'
            UNION ALL SELECT 'others', key FROM others
            UNION ALL SELECT 'entries', key FROM entries WHERE section = 'summaries'"""
        ):
            yield table, clean_text(key).text, "what stands there is not what this store keeps"
        for (key,) in self.source.rows(
            f"SELECT o.key FROM objects o WHERE o.section = 'summaries' AND EXISTS ({LATER})"
        ):
            yield (
                "objects",
                clean_text(key).text,
                "its summary stands there again, further down",
            )

    def _summaries(self) -> int:
        sql = "SELECT count(DISTINCT key) FROM objects WHERE section = 'summaries'"
        return int(next(self.source.rows(sql))[0])

    def _session(
        self, key: object, first: bytes | None, last: bytes | None, summary: bytes | None
    ) -> OldSession:
        cells = self.cells("sessions", key)
        told: dict[str, Any] = read_fields(cells, summary) if summary is not None else {}
        text = msgspec.json.decode(told.get("conversation_summary", as_raw("")))
        is_text = isinstance(text, str)
        known = {"last_updated", "conversation_summary"} if is_text else {"last_updated"}
        rest = {key: value for key, value in told.items() if key not in known}
        begin, end = self._time_in(first), self._time_in(last)
        written_at = cells.later_time(
            msgspec.json.decode(told.get("last_updated", as_raw(None))), "last_updated", end
        )
        return OldSession(
            "sessions",
            cells.row,
            self._name(clean_text(key).text),
            encode(rest),
            begin or self.time_of(told, "last_updated"),
            written_at or end,
            summary=text if is_text else "",
        )

    def _time_in(self, value: bytes | None) -> Any:
        if value is None:
            return None
        return self.time_of(read_fields(Cells(self.source.unheard(), "", ""), value))

    def _name(self, key: str) -> SessionName:
        return session_name(self.source.user, clean_text(key), self.name)
