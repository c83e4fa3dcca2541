"""A summary of a session's memories in their own words: `summarize`. Called by handlers."""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from memories.changes import rows
from memories.services.filters import FILTER_COLUMNS, Filter, conditions_sql, filter_row
from memories.text.summary import Turn, summarize_turns

# The newest memories are read, up to this many characters of each.
MAX_TURNS = 1_000
MAX_TURN_CHARACTERS = 4_000


@dataclass(frozen=True, slots=True)
class Summary:
    """`memory_count` counts all that the filter finds; the times are of the first and the last."""

    text: str
    memory_count: int
    start: datetime | None
    end: datetime | None


def summarize_memories(filter_: Filter) -> Summary:
    if filter_.finds_nothing():
        return Summary("", 0, None, None)
    matching = f"""
        FROM memory_entries m CROSS JOIN jsonb_to_record(%s::jsonb) AS q ({FILTER_COLUMNS})
        WHERE {conditions_sql(filter_.shape())}"""
    parameters = msgspec.json.encode(filter_row(filter_)).decode()
    turns = rows(
        f"""
        SELECT left(m.text, {MAX_TURN_CHARACTERS}),
            coalesce(m.content ->> 'speaker', m.content ->> 'role', ''), m.created_at
        {matching} AND m.text <> '' ORDER BY m.created_at DESC, m.id LIMIT {MAX_TURNS}""",
        [parameters],
    )
    [(count, start, end)] = rows(
        f"SELECT count(*), min(m.created_at), max(m.created_at) {matching}", [parameters]
    )
    text = summarize_turns([Turn(*turn) for turn in reversed(turns)])
    return Summary(text, count, start, end)
