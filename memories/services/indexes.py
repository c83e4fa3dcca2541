"""The indexes that the code counts on, and what the database has of them. Called by the commands
`doctor` and `tune_postgres`."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import connection

from memories.changes import rows


def missing_indexes() -> dict[str, str]:
    """The statement that makes it, by the name of each that is not there."""
    found = {
        name
        for (name,) in rows(
            """
            SELECT c.relname FROM pg_class c
            WHERE c.relkind IN ('i', 'I') AND c.relnamespace = current_schema()::regnamespace"""
        )
    }
    with connection.schema_editor(collect_sql=True) as editor:
        return {
            index.name: f"{index.create_sql(model, editor)};"
            for model in apps.get_app_config("memories").get_models()
            for index in _indexes(model)
            if index.name not in found
        }


def invalid_indexes() -> list[str]:
    """Those whose build was cut short, without those that are being built now."""
    found = rows(
        """
        SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE NOT i.indisvalid AND c.relnamespace = current_schema()::regnamespace
            AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p
                            WHERE p.index_relid = i.indexrelid)
        ORDER BY 1"""
    )
    return [name for (name,) in found]


def _indexes(model: Any) -> Iterator[Any]:
    yield from model._meta.indexes
    # A CHECK has no fields, and no index either.
    yield from (each for each in model._meta.constraints if hasattr(each, "fields"))
