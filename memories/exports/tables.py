"""What an export holds of each table, and in which order: the same rows make the same bytes.

What PostgreSQL makes of the content (words, text, vectors) is left out, and made again.
"""

from dataclasses import dataclass

FORMAT = "memories-owner-export"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Table:
    """`columns`: with their types. `key`: tells a row of the owner. `order`: SQL, independent of
    the database's language."""

    kind: str
    name: str
    columns: dict[str, str]
    key: tuple[str, ...]
    order: str

    def rows_sql(self) -> str:
        """The rows of an owner as JSON texts."""
        return f"""
            SELECT row_to_json(r)::text FROM (
                SELECT {", ".join(f"x.{column}" for column in self.columns)}
                FROM {self.name} x WHERE x.owner_id = %(owner)s ORDER BY {self.order}) r"""

    def told_sql(self) -> str:
        """The rows `n` of a JSON list."""
        columns = ", ".join(f"{column} {kind}" for column, kind in self.columns.items())
        return f"jsonb_to_recordset(%(told)s::jsonb) AS n ({columns})"

    def compare_sql(self) -> str:
        """For each row of a JSON list, in its order: is there one of that key, is it the same?"""
        keys = " AND ".join(
            f"x.{column} = (t.row ->> '{column}')::{self.columns[column]}" for column in self.key
        )
        return f"""
            SELECT here.row IS NOT NULL, coalesce(here.row = t.row, false)
            FROM jsonb_array_elements(%(told)s::jsonb) WITH ORDINALITY t (row, place)
            LEFT JOIN LATERAL (
                SELECT to_jsonb(r) AS row FROM (
                    SELECT {", ".join(f"x.{column}" for column in self.columns)}
                    FROM {self.name} x WHERE x.owner_id = %(owner)s AND {keys}) r) here ON true
            ORDER BY t.place"""


TABLES = (
    Table(
        "session",
        "sessions",
        {
            "id": "text",
            "user_id": "text",
            "session_type": "text",
            "metadata": "jsonb",
            "summary": "text",
            "created_at": "timestamptz",
            "updated_at": "timestamptz",
            "ended_at": "timestamptz",
            "is_archived": "boolean",
        },
        ("id",),
        "x.created_at, x.id",
    ),
    Table(
        "profile",
        "user_profiles",
        {
            "user_id": "text",
            "preferences": "jsonb",
            "profile_data": "jsonb",
            "created_at": "timestamptz",
            "updated_at": "timestamptz",
        },
        ("user_id",),
        "x.user_id",
    ),
    Table(
        "memory",
        "memory_entries",
        {
            "id": "text",
            "session_id": "text",
            "memory_type": "text",
            "content": "jsonb",
            "content_bytes": "int",
            "tags": "text[]",
            "source_agent": "text",
            "created_by": "text",
            "priority": "int",
            "version": "int",
            "content_version": "int",
            "created_at": "timestamptz",
            "updated_at": "timestamptz",
            "expires_at": "timestamptz",
            "deleted_at": "timestamptz",
        },
        ("id",),
        "x.created_at, x.id",
    ),
    Table(
        "revision",
        "revisions",
        {
            "memory_id": "text",
            "version": "int",
            "action": "text",
            "memory_type": "text",
            "content": "jsonb",
            "tags": "text[]",
            "priority": "int",
            "updated_at": "timestamptz",
            "expires_at": "timestamptz",
            "deleted_at": "timestamptz",
            "changed_at": "timestamptz",
            "changed_by": "text",
            "operation_id": "text",
        },
        ("memory_id", "version"),
        "x.memory_id, x.version",
    ),
    Table(
        "relationship",
        "relationships",
        {
            "source_id": "text",
            "target_id": "text",
            "relationship_type": "text",
            "strength": "float",
            "metadata": "jsonb",
            "created_at": "timestamptz",
        },
        ("source_id", "target_id", "relationship_type"),
        'x.source_id, x.target_id, x.relationship_type COLLATE "C"',
    ),
    Table(
        "state",
        "agent_states",
        {
            "session_id": "text",
            "agent_id": "text",
            "state": "jsonb",
            "updated_at": "timestamptz",
            "expires_at": "timestamptz",
        },
        ("session_id", "agent_id"),
        'x.session_id, x.agent_id COLLATE "C"',
    ),
    Table(
        "access",
        "access_log",
        {
            "memory_id": "text",
            "agent_id": "text",
            "action": "text",
            "day": "date",
            "accesses": "int",
            "last_at": "timestamptz",
        },
        ("memory_id", "agent_id", "action", "day"),
        'x.day, x.memory_id COLLATE "C", x.agent_id COLLATE "C", x.action COLLATE "C"',
    ),
)
BY_KIND = {table.kind: table for table in TABLES}
