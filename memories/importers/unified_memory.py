"""The unified memory: table `memories` with groups and relationships, times since the epoch."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from memories.importers.cells import Cells, merged, plain
from memories.importers.labels import Labels, LabelTables
from memories.importers.names import kept_id
from memories.importers.rows import MemoryName, OldMemory, OldTie, SessionName, own_of
from memories.importers.source import Source
from memories.importers.stores import OldStore
from memories.importers.values import clean_text, encode, read_time
from memories.limits import RELATIONSHIP_TYPE_MAX_CHARACTERS

_TIE = (
    "id",
    "source_memory_id",
    "target_memory_id",
    "relationship_type",
    "strength",
    "created_at",
)
_GROUPS = LabelTables(
    owners="memories",
    labels="context_groups",
    label_id="id",
    members="memory_group_mappings",
    member_label_id="group_id",
    word="group",
)

_COLUMNS = (
    "memory_id",
    "created_at",
    "content",
    "memory_type",
    "importance",
    "expires_at",
    "metadata",
    "tags",
    "relationships",
    "memory_tier",
    "access_count",
    "last_accessed_at",
)


class UnifiedMemory(OldStore):
    name = "unified"
    needs = {"memories": frozenset({"memory_id", "content"})}
    counted = {"memories": (*_COLUMNS, "parent_id"), "memory_relationships": _TIE}
    reads = _GROUPS.columns()
    left_out = {
        "memory_relationships": ("updated_at",),
        "context_groups": ("description", "created_at", "updated_at"),
        "memory_group_mappings": ("created_at",),
    }
    volatile = ("access_count", "last_accessed_at")

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._repeated = source.repeated("memories", "memory_id")

    def memories(self) -> Iterator[OldMemory]:
        groups = _GROUPS.beside(self.source)
        for rowid, *row in self.source.rows(
            f"""
            SELECT m.rowid, {self.source.columns("memories", _COLUMNS)} FROM memories m
            ORDER BY m.rowid"""
        ):
            yield self._memory(rowid, dict(zip(_COLUMNS, row, strict=True)), groups.of(rowid))

    def ties(self) -> Iterator[OldTie]:
        if self.source.has("memory_relationships"):
            yield from self._from_table()
        if "parent_id" in self.source.tables["memories"]:
            yield from self._to_parents()
        if "relationships" in self.source.tables["memories"]:
            yield from self._from_lists()

    def unread(self) -> Iterator[tuple[str, str, str]]:
        return _GROUPS.unread(self.source)

    def _memory(self, rowid: int, row: Mapping[str, Any], groups: Labels) -> OldMemory:
        cells = self.cells("memories", row["memory_id"] or rowid)
        tags, bad_tags = cells.tag_list(row["tags"])
        fields = cells.fields(row["metadata"], "metadata")
        counts = {
            key: plain(row[key])
            for key in ("memory_tier", "importance", "access_count", "last_accessed_at")
        }
        metadata = merged(merged(fields, bad_tags, "tags"), counts, self.name)
        metadata = merged(metadata, self._bad_relationships(cells, row["relationships"]), "ties")
        return OldMemory(
            "memories",
            cells.row,
            self._memory_name(row["memory_id"], row["created_at"], rowid),
            cells.memory_type(row["memory_type"], "context"),
            encode({"text": cells.text(row["content"], "content"), "metadata": metadata}),
            read_time(row["created_at"], self.source.zone),
            cells.tags(*tags, *(f"group:{cells.text(name, 'a group')}" for (name,) in groups)),
            cells.priority(row["importance"]),
            cells.time(row["expires_at"], "expires_at"),
        )

    def _memory_name(self, an_id: object, created_at: object, rowid: int) -> MemoryName:
        session = SessionName(self.source.user)
        if self._repeated.get(an_id, rowid) != rowid:  # its id is that of the first of them
            return MemoryName(session, own_of(self.name, an_id, created_at, rowid))
        own = own_of(self.name, an_id or rowid, created_at)
        return MemoryName(session, own, kept_id(clean_text(an_id)))

    def _bad_relationships(self, cells: Cells, value: object) -> dict[str, Any]:
        if value in (None, "", "{}", "[]", "null") or _lists_in(value) is not None:
            return {}
        text = cells.text(value, "relationships")
        cells.note("relationships is no JSON object of lists", "kept as text")
        return {"raw": text}

    def _from_table(self) -> Iterator[OldTie]:
        columns = ("relationship_type", "strength", "created_at")
        for rowid, an_id, kind, strength, created_at, *ends in self.source.rows(
            f"""
            SELECT r.rowid, {self.source.columns("memory_relationships", ["id"], "r")},
                {self.source.columns("memory_relationships", columns, "r")},
                {self._end("s")}, {self._end("t")}
            FROM memory_relationships r
            LEFT JOIN memories s ON s.rowid = ({_first("r.source_memory_id")})
            LEFT JOIN memories t ON t.rowid = ({_first("r.target_memory_id")})
            ORDER BY r.rowid"""
        ):
            cells = self.cells("memory_relationships", an_id or rowid)
            yield OldTie(
                "memory_relationships",
                cells.row,
                self._end_name(*ends[:3]),
                self._end_name(*ends[3:]),
                cells.short(kind, "the type", RELATIONSHIP_TYPE_MAX_CHARACTERS) or "related",
                read_time(created_at, self.source.zone),
                cells.strength(strength),
            )

    def _to_parents(self) -> Iterator[OldTie]:
        for row in self.source.rows(
            f"""
            SELECT {self._end("s")}, {self._end("t")}
            FROM memories s LEFT JOIN memories t ON t.rowid = ({_first("s.parent_id")})
            WHERE s.parent_id <> '' ORDER BY s.rowid"""
        ):
            yield self._tie("memories.parent_id", row[:3], row[3:], "child_of")

    def _from_lists(self) -> Iterator[OldTie]:
        for lists, *source in self.source.rows(
            f"""
            SELECT s.relationships, {self._end("s")} FROM memories s
            WHERE s.relationships NOT IN ('', '{{}}', '[]', 'null') ORDER BY s.rowid"""
        ):
            for kind, wanted in (_lists_in(lists) or {}).items():
                for an_id in wanted:
                    sql = f"SELECT {self._end('t')} FROM memories t WHERE t.rowid = ({_first('?')})"
                    target = next(self.source.rows(sql, [an_id]), (None, None, None))
                    yield self._tie("memories.relationships", source, target, kind)

    def _tie(self, table: str, source: Any, target: Any, kind: str) -> OldTie:
        cells = self.cells(table, source[0])
        created_at = read_time(source[1], self.source.zone) or self.source.modified_at
        kind = cells.short(kind, "the type", RELATIONSHIP_TYPE_MAX_CHARACTERS) or "related"
        ends = self._end_name(*source), self._end_name(*target)
        return OldTie(table, cells.row, *ends, kind, created_at)

    def _end(self, alias: str) -> str:
        columns = self.source.columns("memories", ["memory_id", "created_at"], alias)
        return f"{columns}, {alias}.rowid"

    def _end_name(self, an_id: object, created_at: object, rowid: int | None) -> MemoryName | None:
        return None if rowid is None else self._memory_name(an_id, created_at, rowid)


def _first(an_id: str) -> str:
    """SQL of the row that is meant by an id, which a store without a key may have twice."""
    return f"SELECT min(d.rowid) FROM memories d WHERE d.memory_id = {an_id}"


def _lists_in(value: object) -> dict[str, list[str]] | None:
    """Type → ids, or None where it is something else."""
    try:
        return msgspec.json.decode(clean_text(value).text, type=dict[str, list[str]])
    except (ValueError, RecursionError):
        return None
