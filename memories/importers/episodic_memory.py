"""The episodic memory: tables `episodes` and `interactions`, with tags, groups, relationships."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from memories.importers.cells import as_raw, merged, plain
from memories.importers.rows import (
    MemoryName,
    OldMemory,
    OldSession,
    OldTie,
    SessionName,
    own_of,
)
from memories.importers.source import Source
from memories.importers.stores import OldStore
from memories.importers.values import clean_text, encode, read_time
from memories.limits import RELATIONSHIP_TYPE_MAX_CHARACTERS

_NONE = "SELECT 0, 0 WHERE false"
_EPISODE = (
    "episode_id",
    "user_id",
    "start_time",
    "end_time",
    "context",
    "summary",
    "importance_score",
    "profile",
    "status",
)
_IDENTITY = ("interaction_id", "episode_id", "timestamp", "speaker", "content")
_INTERACTION = (*_IDENTITY, "intent", "sentiment", "metadata")

_TIE = ("relationship_id", "relationship_type", "strength", "metadata", "created_at")
_ENDS = ("source_episode_id", "target_episode_id")

Weighted = list[tuple[Any, ...]]


class EpisodicMemory(OldStore):
    name = "episodic"
    needs = {
        "episodes": frozenset({"episode_id", "start_time"}),
        "interactions": frozenset({"episode_id", "content"}),
    }
    counted = {
        "episodes": _EPISODE,
        "interactions": _INTERACTION,
        "episode_relationships": (*_TIE, *_ENDS),
    }
    reads = {
        "episode_tags": ("tag_id", "episode_id", "tag", "confidence"),
        "context_groups": ("group_id", "name"),
        "episode_context_groups": ("id", "episode_id", "group_id", "relevance_score"),
    }
    left_out = {
        "context_groups": ("description", "created_at", "updated_at"),
        "episode_context_groups": ("created_at",),
        "episode_tags": ("created_at",),
    }

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._session_name = lru_cache(10_000)(self._new_session_name)

    def sessions(self) -> Iterator[OldSession]:
        tags = self.source.beside(self._tags("episodes"))
        groups = self.source.beside(self._groups("episodes"))
        for rowid, *row in self.source.rows(
            f"SELECT e.rowid, {self._columns('episodes', _EPISODE, 'e')} FROM episodes e"
            " ORDER BY e.rowid"
        ):
            told = dict(zip(_EPISODE, row, strict=True))
            yield self._session(rowid, told, {"tags": tags.of(rowid), "groups": groups.of(rowid)})
        yield from self._recovered()

    def memories(self) -> Iterator[OldMemory]:
        tags = self.source.beside(self._tags("interactions"))
        groups = self.source.beside(self._groups("interactions"))
        for rowid, *row in self.source.rows(
            f"""
            SELECT i.rowid, {self._columns("interactions", _INTERACTION, "i")},
                {self._columns("episodes", ["user_id", "start_time", "importance_score"], "e")}
            FROM interactions i LEFT JOIN episodes e ON e.episode_id = i.episode_id
            ORDER BY i.rowid"""
        ):
            told = dict(zip(_INTERACTION, row, strict=False))
            user, start, importance = row[len(_INTERACTION) :]
            labels = [tag for tag, _ in tags.of(rowid)]
            labels += [_group_tag(name) for name, _ in groups.of(rowid)]
            yield self._memory(rowid, told, (user, start, importance), labels)

    def ties(self) -> Iterator[OldTie]:
        if not self.source.has("episode_relationships"):
            return
        self.source.index("interactions", "episode_id")
        for row in self.source.rows(
            f"""
            SELECT r.rowid, {self._columns("episode_relationships", _TIE, "r")},
                {self._end("s", "si")}, {self._end("t", "ti")}
            FROM episode_relationships r
            LEFT JOIN episodes s ON s.episode_id = r.source_episode_id
            LEFT JOIN episodes t ON t.episode_id = r.target_episode_id
            LEFT JOIN interactions si ON si.rowid = (
                SELECT min(i.rowid) FROM interactions i WHERE i.episode_id = s.episode_id)
            LEFT JOIN interactions ti ON ti.rowid = (
                SELECT min(i.rowid) FROM interactions i WHERE i.episode_id = t.episode_id)
            ORDER BY r.rowid"""
        ):
            tie, ends = row[: 1 + len(_TIE)], row[1 + len(_TIE) :]
            half = len(ends) // 2
            yield self._tie(tie, ends[:half], ends[half:])

    def unread(self) -> Iterator[tuple[str, str, str]]:
        if self.source.has("episode_tags"):
            for (row,) in self.source.rows(
                "SELECT t.rowid FROM episode_tags t WHERE NOT EXISTS ("
                "SELECT 1 FROM episodes e WHERE e.episode_id = t.episode_id)"
            ):
                yield "episode_tags", str(row), "its episode does not exist"
        if self.source.has("context_groups", "episode_context_groups"):
            for (row,) in self.source.rows(
                """
                SELECT x.rowid FROM episode_context_groups x
                WHERE NOT EXISTS (SELECT 1 FROM episodes e WHERE e.episode_id = x.episode_id)
                   OR NOT EXISTS (SELECT 1 FROM context_groups g WHERE g.group_id = x.group_id)"""
            ):
                yield "episode_context_groups", str(row), "its episode or group does not exist"
            for (row,) in self.source.rows(
                """
                SELECT g.group_id FROM context_groups g WHERE NOT EXISTS (
                    SELECT 1 FROM episode_context_groups x WHERE x.group_id = g.group_id)"""
            ):
                yield "context_groups", str(row), "the group has no episode"

    def _columns(self, table: str, wanted: Sequence[str], alias: str) -> str:
        return self.source.columns(table, wanted, alias)

    def _tags(self, table: str) -> str:
        """The tags of the episode of each row of the table."""
        if not self.source.has("episode_tags"):
            return _NONE
        self.source.index("episode_tags", "episode_id")
        return f"""
            SELECT o.rowid, t.tag, {self._columns("episode_tags", ["confidence"], "t")}
            FROM {table} o JOIN episode_tags t ON t.episode_id = o.episode_id
            ORDER BY o.rowid, t.rowid"""

    def _groups(self, table: str) -> str:
        if not self.source.has("context_groups", "episode_context_groups"):
            return _NONE
        self.source.index("episode_context_groups", "episode_id")
        self.source.index("episode_context_groups", "group_id")
        return f"""
            SELECT o.rowid, g.name,
                {self._columns("episode_context_groups", ["relevance_score"], "x")}
            FROM {table} o JOIN episode_context_groups x ON x.episode_id = o.episode_id
            JOIN context_groups g ON g.group_id = x.group_id
            ORDER BY o.rowid, x.rowid"""

    def _session(
        self, rowid: int, row: Mapping[str, Any], weighted: Mapping[str, Weighted]
    ) -> OldSession:
        an_id = row["episode_id"]
        cells = self.cells("episodes", rowid if an_id is None else an_id)
        kept = ("episode_id", "profile", "importance_score", "status")
        told = {key: plain(row[key]) for key in kept}
        for key, pairs in weighted.items():
            if pairs:
                told[key] = {cells.text(name, key): plain(weight) for name, weight in pairs}
        started_at = read_time(row["start_time"], self.source.zone)
        ended_at = cells.later_time(row["end_time"], "end_time", started_at)
        return OldSession(
            "episodes",
            cells.row,
            self._session_name(row["episode_id"], row["user_id"], row["start_time"]),
            encode(merged(cells.fields(row["context"], "context"), told, self.name)),
            started_at,
            ended_at,
            ended_at,
            session_type="episode",
            summary=cells.text(row["summary"], "summary"),
        )

    def _recovered(self) -> Iterator[OldSession]:
        """Episodes that interactions name and the file has not."""
        columns = self._columns("interactions", ["interaction_id", "timestamp"], "i")
        for row, first, episode_id, _ in self.source.rows(
            f"""
            SELECT {columns}, i.episode_id, min(i.rowid) FROM interactions i
            WHERE i.episode_id IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM episodes e WHERE e.episode_id = i.episode_id)
            GROUP BY i.episode_id"""
        ):
            cells = self.cells("interactions", row)
            cells.note("its episode does not exist", "made, and marked as recovered")
            yield OldSession(
                "recovered episodes",
                cells.row,
                self._session_name(episode_id, None, None),
                encode({"recovered": True, "episode_id": plain(episode_id)}),
                read_time(first, self.source.zone),
                session_type="episode",
            )

    def _new_session_name(self, episode_id: object, user: object, start: object) -> SessionName:
        cells = self.cells("episodes", episode_id)
        if episode_id is None:
            return SessionName(cells.user(user))
        own = own_of(self.name, "session", episode_id, user, start)
        return SessionName(cells.user(user), own=own)

    def _memory(
        self,
        rowid: int,
        row: Mapping[str, Any],
        episode: tuple[object, object, object],
        labels: list[object],
    ) -> OldMemory:
        cells = self.cells("interactions", row["interaction_id"] or rowid)
        user, start, importance = episode
        fields = cells.fields(row["metadata"], "metadata")
        speaker = cells.text(row["speaker"], "speaker")
        content = {
            "text": cells.text(row["content"], "content"),
            "speaker": speaker,
            "timestamp": plain(row["timestamp"]),
            "intent": plain(row["intent"]),
            "sentiment": plain(row["sentiment"]),
            "metadata": fields or as_raw({}),
        }
        return OldMemory(
            "interactions",
            cells.row,
            self._memory_name(rowid, [row[key] for key in _IDENTITY], user, start),
            "interaction",
            encode(content),
            read_time(row["timestamp"], self.source.zone),
            cells.tags(*(cells.text(label, "a tag") for label in labels)),
            cells.priority(importance),
        )

    def _memory_name(
        self, rowid: int, identity: Sequence[object], user: object, start: object
    ) -> MemoryName:
        an_id, episode_id, *said = identity
        own = own_of(self.name, an_id or rowid, episode_id, *said)
        return MemoryName(self._session_name(episode_id, user, start), own)

    def _end(self, episode: str, interaction: str) -> str:
        return f"""{self._columns("episodes", ["user_id", "start_time"], episode)},
            {interaction}.rowid, {self._columns("interactions", _IDENTITY, interaction)}"""

    def _tie(self, row: Sequence[Any], source: Sequence[Any], target: Sequence[Any]) -> OldTie:
        rowid, an_id, kind, strength, metadata, created_at = row
        cells = self.cells("episode_relationships", an_id or rowid)
        return OldTie(
            "episode_relationships",
            cells.row,
            self._end_name(*source),
            self._end_name(*target),
            cells.short(kind, "the type", RELATIONSHIP_TYPE_MAX_CHARACTERS) or "related",
            read_time(created_at, self.source.zone) or self.source.modified_at,
            cells.strength(strength),
            encode(cells.fields(metadata, "metadata")),
        )

    def _end_name(
        self, user: object, start: object, rowid: int | None, *identity: object
    ) -> MemoryName | None:
        """The first memory of the episode; None where the episode is missing or has none."""
        return None if rowid is None else self._memory_name(rowid, identity, user, start)


def _group_tag(name: object) -> str:
    return f"group:{clean_text(name).text}"
