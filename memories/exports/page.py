"""The export as one page that a person reads without a network: escaped, and written as it goes."""

import html
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from memories.exports.snapshot import stream
from memories.exports.tables import BY_KIND
from memories.models.fields import read_json
from memories.services.named_owner import Owner

Fields = Mapping[str, Any]


def write_page(owner: Owner, counts: Mapping[str, int], file: BinaryIO) -> None:
    """To be called in `one_moment`."""
    for part in _parts(owner, counts):
        file.write(part.encode())


def _parts(owner: Owner, counts: Mapping[str, int]) -> Iterator[str]:
    yield _HEAD.format(name=_text(owner.name))
    told = ", ".join(f"{kind}: {count}" for kind, count in counts.items() if count)
    yield f"<p>{_text(told)}. Vectors are left out. Times are UTC.</p>\n"
    named = {"owner": owner.owner_id}
    for profile in _rows_of("profile", named):
        yield f"<h2>Profile</h2>\n{_json(profile['preferences'])}{_json(profile['profile_data'])}"
    yield from _sessions(named)
    for title, kind in (
        ("Relationships", "relationship"),
        ("Agent states", "state"),
        ("Access log", "access"),
    ):
        if counts[kind]:
            yield from _table(title, BY_KIND[kind].columns, _rows_of(kind, named))
    yield "</body></html>\n"


def _sessions(named: Mapping[str, Any]) -> Iterator[str]:
    """Each with its memories, and each of those with its revisions."""
    revisions = _Beside(stream(_REVISIONS, dict(named)))
    opened = ""
    for session_text, memory_text in stream(_MEMORIES, dict(named)):
        session = read_json(session_text)
        if session["id"] != opened:
            opened = session["id"]
            yield _session(session)
        if memory_text:
            yield from _memory(read_json(memory_text), revisions)


def _session(session: Fields) -> str:
    ended = f", ended {_time(session['ended_at'])}" if session["ended_at"] else ""
    summary = f'<p dir="auto">{_text(session["summary"])}</p>\n' if session["summary"] else ""
    return (
        f"<h2>{_text(session['session_type'])} {_text(session['id'])}</h2>\n"
        f"<p>{_time(session['created_at'])}{ended}</p>\n{summary}{_json(session['metadata'])}"
    )


def _memory(memory: Fields, revisions: "_Beside") -> Iterator[str]:
    state = ' class="deleted"' if memory["deleted_at"] else ""
    yield f'<article id="{_text(memory["id"])}"{state}>\n<p>{_text(_told(memory))}</p>\n'
    yield _content(memory["content"])
    for revision in revisions.of(memory["id"]):
        by = f" by {revision['changed_by']}" if revision["changed_by"] else ""
        title = f"before {revision['action']} at {_time(revision['changed_at'])}{by}"
        yield f"<details><summary>{_text(title)}</summary>\n"
        yield f"{_content(revision['content'])}</details>\n"
    yield "</article>\n"


def _told(memory: Fields) -> str:
    parts = [_time(memory["created_at"]), memory["memory_type"], f"priority {memory['priority']}"]
    parts += [f"from {memory['source_agent']}"] if memory["source_agent"] else []
    parts += [f"tags {', '.join(memory['tags'])}"] if memory["tags"] else []
    parts += [f"expires {_time(memory['expires_at'])}"] if memory["expires_at"] else []
    parts += [f"deleted {_time(memory['deleted_at'])}"] if memory["deleted_at"] else []
    return " · ".join(parts)


def _content(content: Fields) -> str:
    text = content.get("text")
    rest = {key: value for key, value in content.items() if key != "text"}
    if not isinstance(text, str):
        return _json(content)
    return f'<p dir="auto" class="said">{_text(text)}</p>\n{_json(rest)}'


def _table(title: str, columns: Iterable[str], found: Iterable[Fields]) -> Iterator[str]:
    names = list(columns)
    yield f"<h2>{title}</h2>\n<table><tr>"
    yield "".join(f"<th>{_text(name)}</th>" for name in names) + "</tr>\n"
    for row in found:
        cells = (row[name] for name in names)
        yield "<tr>" + "".join(f"<td>{_text(_cell(cell))}</td>" for cell in cells) + "</tr>\n"
    yield "</table>\n"


def _rows_of(kind: str, named: Mapping[str, Any]) -> Iterator[Fields]:
    for (row,) in stream(BY_KIND[kind].rows_sql(), dict(named)):
        yield read_json(row)


class _Beside:
    """Revisions, read beside the memories in the same order."""

    def __init__(self, found: Iterator[tuple[Any, ...]]) -> None:
        self._found = found
        self._next = next(found, None)

    def of(self, memory_id: str) -> Iterator[Fields]:
        while self._next is not None and self._next[0] == memory_id:
            yield read_json(self._next[1])
            self._next = next(self._found, None)


def _text(value: object) -> str:
    return html.escape(str(value))


def _cell(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def _time(iso: str) -> str:
    return iso[:19].replace("T", " ")


def _json(value: Any) -> str:
    if not value:
        return ""
    return f'<pre dir="auto">{_text(json.dumps(value, ensure_ascii=False, indent=1))}</pre>\n'


_FROM = """
FROM sessions s LEFT JOIN memory_entries m ON m.owner_id = s.owner_id AND m.session_id = s.id"""
_ORDER = "ORDER BY s.created_at, s.id, m.created_at, m.id"

_MEMORIES = f"""
SELECT to_json(s)::text, CASE WHEN m.id IS NOT NULL THEN json_build_object(
    'id', m.id, 'created_at', m.created_at, 'memory_type', m.memory_type, 'priority', m.priority,
    'source_agent', m.source_agent, 'tags', m.tags, 'expires_at', m.expires_at,
    'deleted_at', m.deleted_at, 'content', m.content)::text END
{_FROM} WHERE s.owner_id = %(owner)s {_ORDER}"""

_REVISIONS = f"""
SELECT m.id, to_json(r)::text
{_FROM} JOIN revisions r ON r.owner_id = m.owner_id AND r.memory_id = m.id
WHERE s.owner_id = %(owner)s {_ORDER}, r.version"""

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Memories of {name}</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem;
  color: #1b1b1f; background: #fff; }}
h1, h2 {{ line-height: 1.2; overflow-wrap: anywhere; }} h2 {{ margin-top: 2.5rem; }}
article {{ border-left: 3px solid #4a6fa5; padding-left: 1rem; margin: 1.5rem 0; }}
article > p:first-child, summary {{ color: #555; font-size: .85rem; margin: 0; }}
.deleted {{ border-color: #b3261e; }} .deleted .said {{ text-decoration: line-through; }}
.said, pre {{ white-space: pre-wrap; overflow-wrap: anywhere; margin: .3rem 0; }}
pre {{ font-size: .85rem; background: #f2f3f7; padding: .5rem; }}
table {{ border-collapse: collapse; display: block; overflow-x: auto; font-size: .85rem; }}
th, td {{ border: 1px solid #ccc; padding: .2rem .5rem; text-align: left; }}
@media (prefers-color-scheme: dark) {{ body {{ color: #e4e4e9; background: #17181c; }}
  pre {{ background: #24262c; }} article > p:first-child, summary {{ color: #aaa; }} }}
</style></head><body>
<h1>Memories of {name}</h1>
"""
