"""What was deleted and can still be brought back, newest first, a deletion at a time. Called by
the admin."""

from dataclasses import dataclass
from datetime import datetime

from memories.changes import rows

MOST_COUNTED = 1_000
_NAMED_IDS = 100
_SHOWN_TEXTS = 3
_TEXT_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class Deletion:
    """What one request, policy or account deleted at one moment. `count` ends at MOST_COUNTED;
    `memory_ids` and `texts` are of some. `operation_id` is "" where no bulk delete did it."""

    at: datetime
    action: str
    changed_by: str
    operation_id: str
    count: int
    memory_ids: list[str]
    texts: list[str]


def list_deletions(limit: int, before: datetime | None = None) -> list[Deletion]:
    """Of the latest `limit` moments before that one.

    From moment to moment along the index: a bulk delete may have brought a million rows to one.
    """
    found = rows(
        f"""
        WITH RECURSIVE moments AS (
            (SELECT m.deleted_at AS at, 1 AS number FROM memory_entries m
             WHERE m.deleted_at < coalesce(%(before)s::timestamptz, 'infinity')
             ORDER BY m.deleted_at DESC LIMIT 1)
            UNION ALL
            SELECT (SELECT m.deleted_at FROM memory_entries m WHERE m.deleted_at < moments.at
                    ORDER BY m.deleted_at DESC LIMIT 1), number + 1
            FROM moments WHERE moments.at IS NOT NULL AND number < %(limit)s)
        SELECT moments.at, g.action, g.changed_by, g.operation_id, g.count, g.ids,
            -- of the few that are shown: to read all of them would be to fetch 50,000 texts
            ARRAY(SELECT left(t.text, {_TEXT_CHARACTERS + 1})
                FROM unnest(g.owners, g.ids[:{_SHOWN_TEXTS}]) AS n (owner_id, id)
                    JOIN memory_entries t ON t.owner_id = n.owner_id AND t.id = n.id
                ORDER BY t.id)
        FROM moments CROSS JOIN LATERAL (
            SELECT coalesce(r.action, '') AS action, coalesce(r.changed_by, '') AS changed_by,
                coalesce(r.operation_id, '') AS operation_id, count(*) AS count,
                (array_agg(m.id ORDER BY m.id))[:{_NAMED_IDS}] AS ids,
                (array_agg(m.owner_id ORDER BY m.id))[:{_SHOWN_TEXTS}] AS owners
            FROM (
                SELECT m.owner_id, m.id, m.version
                FROM memory_entries m WHERE m.deleted_at = moments.at LIMIT {MOST_COUNTED}) m
                LEFT JOIN revisions r ON r.owner_id = m.owner_id AND r.memory_id = m.id
                    AND r.version = m.version - 1
            GROUP BY 1, 2, 3) g
        WHERE moments.at IS NOT NULL
        ORDER BY moments.at DESC, g.operation_id, g.action, g.changed_by""",
        {"before": before, "limit": limit},
    )
    return [Deletion(*row) for row in found]
