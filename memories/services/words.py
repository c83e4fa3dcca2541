"""The words of a text as PostgreSQL's full-text search keeps them, in the installation's language.

Every statement that writes or asks for words takes its SQL from here, so that both always agree.
"""

from functools import cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from memories.changes import rows
from memories.limits import SPEAKER_MAX_CHARACTERS

# A tsvector holds at most 1 MB, which a text of 700 kB can pass: the first 256 KiB are indexed.
INDEXED_MAX_BYTES = 256 << 10

_TEXT_OF_CONTENT = """
CASE WHEN jsonb_typeof({content} -> 'text') = 'string' THEN {content} ->> 'text' ELSE '' END"""

# Who said it: the content's own word, or how the text begins ("Anna: ...").
_BEGIN = r"^([^\s:][^:\n]{{0,40}}):\s"
_SPEAKER_OF_CONTENT = f"""
left(coalesce(nullif({{content}} ->> 'speaker', ''), nullif({{content}} ->> 'role', ''),
    substring({{text}} FROM '{_BEGIN}'), ''), {SPEAKER_MAX_CHARACTERS})"""

_HEAD = f"""
CASE WHEN octet_length({{text}}) <= {INDEXED_MAX_BYTES} THEN {{text}}
     ELSE left({{text}}, {INDEXED_MAX_BYTES} / 4) END"""


def made_of_content_sql(content_sql: str) -> str:
    """SQL of a row with what is kept beside a content: `text`, `speaker` and `search`."""
    text = _TEXT_OF_CONTENT.format(content=content_sql)
    speaker = _SPEAKER_OF_CONTENT.format(content=content_sql, text="t.text")
    # OFFSET 0: the words are made once, however often the statement names them.
    return f"""(
        SELECT t.text, {speaker} AS speaker, w.search
        FROM (SELECT {text} AS text) t
            CROSS JOIN LATERAL (SELECT {words_sql("t.text")} AS search OFFSET 0) w)"""


def words_sql(text_sql: str) -> str:
    """SQL of the tsvector of a text. `text_sql` is ours, never a client's."""
    return words_in_sql(language(), text_sql)


def words_in_sql(language: str, text_sql: str) -> str:
    """The same in one of `known_languages`."""
    return f"to_tsvector('{language}', {_HEAD.format(text=text_sql)})"


def known_languages() -> list[str]:
    return [row[0] for row in rows("SELECT cfgname FROM pg_ts_config ORDER BY 1")]


@cache
def language() -> str:
    """The language in which this database's words are kept; recorded when it is first asked for.

    Raises ImproperlyConfigured where SEARCH_LANGUAGE is unknown to PostgreSQL, or is another than
    the one that the stored memories were indexed in.
    """
    wanted = settings.SEARCH_LANGUAGE
    if wanted not in (known := known_languages()):
        raise ImproperlyConfigured(
            f"SEARCH_LANGUAGE is {wanted!r}; choose from {', '.join(known)}."
        )
    rows(
        "INSERT INTO installation (id, search_language) VALUES (1, %s) ON CONFLICT DO NOTHING",
        [wanted],
    )
    [(kept,)] = rows("SELECT search_language FROM installation")
    if kept != wanted:
        raise ImproperlyConfigured(
            f"SEARCH_LANGUAGE is {wanted!r}, but the memories are indexed in {kept!r}: "
            f"set it back, or run `python manage.py rebuild_search --language {wanted}`."
        )
    return str(kept)


def forget_language() -> None:
    """Ask the database again."""
    language.cache_clear()
