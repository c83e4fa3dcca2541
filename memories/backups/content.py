"""What a database holds, in numbers that do not depend on the order of rows."""

from collections.abc import Callable
from typing import Any

import msgspec
import psycopg
from psycopg import sql

# The rows' text depends on these.
_TEXT_FORMS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "search_path": "public",
}

_TABLES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
        AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1, 2"""

# 64 bits of each row's digest, summed: the sum of equal rows is not zero, as it were with XOR.
_MEASURE = """
SELECT count(*), coalesce(sum(('x' || left(md5(t::text), 16))::bit(64)::bigint), 0)::text
FROM {} t"""


class TableContent(msgspec.Struct, frozen=True):
    rows: int
    checksum: str


def list_tables(connection: "psycopg.Connection[Any]") -> list[tuple[str, str]]:
    """Schema and name of each table that a dump holds."""
    return connection.execute(_TABLES).fetchall()


def measure_content(
    connection: "psycopg.Connection[Any]", tell: Callable[[str], None] = lambda table: None
) -> dict[str, TableContent]:
    """By table, as `schema.name`; `tell` hears which one is next. Reads every row."""
    for name, value in _TEXT_FORMS.items():
        connection.execute("SELECT set_config(%s, %s, false)", [name, value])
    content = {}
    for schema, table in list_tables(connection):
        tell(table)
        statement = sql.SQL(_MEASURE).format(sql.Identifier(schema, table))
        [(rows, checksum)] = connection.execute(statement).fetchall()
        content[f"{schema}.{table}"] = TableContent(rows, checksum)
    return content


def list_differences(
    expected: dict[str, TableContent], found: dict[str, TableContent]
) -> list[str]:
    """One line for each table that is not the same."""
    nothing = TableContent(0, "missing")
    lines = []
    for table in sorted(expected.keys() | found.keys()):
        wanted, got = expected.get(table, nothing), found.get(table, nothing)
        if wanted.rows != got.rows:
            lines.append(f"{table} has {got.rows} rows, not {wanted.rows}")
        elif wanted != got:
            lines.append(f"{table} has other content")
    return lines
