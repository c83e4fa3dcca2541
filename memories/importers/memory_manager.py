"""The memory manager: table `memory_entries` with categories and relationships, times in UTC."""

from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any

from memories.importers.cells import merged, plain
from memories.importers.labels import Labels, LabelTables
from memories.importers.rows import MemoryName, OldMemory, OldTie, SessionName, own_of
from memories.importers.source import Source
from memories.importers.stores import OldStore
from memories.importers.values import encode, read_time
from memories.limits import RELATIONSHIP_TYPE_MAX_CHARACTERS

_TIE = ("relationship_id", "relationship_type", "strength", "created_at")
_ENDS = ("source_memory_id", "target_memory_id")
_CATEGORIES = LabelTables(
    owners="memory_entries",
    labels="memory_categories",
    label_id="category_id",
    members="memory_category_assignments",
    member_label_id="category_id",
    word="category",
)

_COLUMNS = (
    "memory_id",
    "created_at",
    "content",
    "memory_type",
    "importance_score",
    "expires_at",
    "metadata",
    "access_count",
    "last_accessed",
)


class MemoryManager(OldStore):
    name = "manager"
    needs = {"memory_entries": frozenset({"memory_id", "content"})}
    counted = {"memory_entries": _COLUMNS, "memory_relationships": (*_TIE, *_ENDS)}
    reads = _CATEGORIES.columns()
    left_out = {
        "memory_categories": ("description", "created_at", "updated_at"),
        "memory_category_assignments": ("relevance_score", "created_at"),
    }
    volatile = ("access_count", "last_accessed")

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._repeated = source.repeated("memory_entries", "memory_id")

    def memories(self) -> Iterator[OldMemory]:
        categories = _CATEGORIES.beside(self.source)
        for rowid, *row in self.source.rows(
            f"""
            SELECT m.rowid, {self.source.columns("memory_entries", _COLUMNS)} FROM memory_entries m
            ORDER BY m.rowid"""
        ):
            yield self._memory(rowid, dict(zip(_COLUMNS, row, strict=True)), categories.of(rowid))

    def ties(self) -> Iterator[OldTie]:
        if not self.source.has("memory_relationships"):
            return
        for an_id, kind, strength, created_at, *ends in self.source.rows(
            f"""
            SELECT {self.source.columns("memory_relationships", _TIE, "r")},
                {self._end("s")}, {self._end("t")}
            FROM memory_relationships r
            LEFT JOIN memory_entries s ON s.rowid = ({_first("r.source_memory_id")})
            LEFT JOIN memory_entries t ON t.rowid = ({_first("r.target_memory_id")})
            ORDER BY r.rowid"""
        ):
            cells = self.cells("memory_relationships", an_id)
            yield OldTie(
                "memory_relationships",
                cells.row,
                self._end_name(*ends[:3]),
                self._end_name(*ends[3:]),
                cells.short(kind, "the type", RELATIONSHIP_TYPE_MAX_CHARACTERS) or "related",
                read_time(created_at, UTC),
                cells.strength(strength),
            )

    def unread(self) -> Iterator[tuple[str, str, str]]:
        return _CATEGORIES.unread(self.source)

    def _memory(self, rowid: int, row: Mapping[str, Any], categories: Labels) -> OldMemory:
        cells = self.cells("memory_entries", row["memory_id"] or rowid)
        kept = ("memory_id", "importance_score", "access_count", "last_accessed")
        metadata = merged(
            cells.fields(row["metadata"], "metadata"),
            {key: plain(row[key]) for key in kept},
            self.name,
        )
        return OldMemory(
            "memory_entries",
            cells.row,
            self._memory_name(row["memory_id"], row["created_at"], rowid),
            cells.memory_type(row["memory_type"], "context"),
            encode({"text": cells.text(row["content"], "content"), "metadata": metadata}),
            read_time(row["created_at"], UTC),
            cells.tags(*(cells.text(name, "a category") for (name,) in categories)),
            cells.priority(row["importance_score"]),
            cells.time(row["expires_at"], "expires_at", UTC),
        )

    def _memory_name(self, an_id: object, created_at: object, rowid: int) -> MemoryName:
        again = (rowid,) if self._repeated.get(an_id, rowid) != rowid else ()
        own = own_of(self.name, an_id or rowid, created_at, *again)
        return MemoryName(SessionName(self.source.user), own)

    def _end(self, alias: str) -> str:
        columns = self.source.columns("memory_entries", ["memory_id", "created_at"], alias)
        return f"{columns}, {alias}.rowid"

    def _end_name(self, an_id: object, created_at: object, rowid: int | None) -> MemoryName | None:
        return None if rowid is None else self._memory_name(an_id, created_at, rowid)


def _first(an_id: str) -> str:
    """SQL of the row that is meant by an id, which a store without a key may have twice."""
    return f"SELECT min(d.rowid) FROM memory_entries d WHERE d.memory_id = {an_id}"
