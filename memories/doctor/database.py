"""Checks of the database itself: the server, the extension, the tables and their indexes."""

from collections.abc import Iterator

from django.conf import settings

from memories.changes import rows
from memories.checks import (
    archive_problems,
    durability_problems,
    encoding_problems,
    vector_problems,
    version_problems,
)
from memories.doctor.findings import Finding, broken, told, warning, well
from memories.services.clocks import (
    HARMFUL_SKEW_SECONDS,
    NOTICED_SKEW_SECONDS,
    SKEW_ADVICE,
    describe_skew,
    measure_skew,
)
from memories.services.embedding.models import active_model
from memories.services.embedding.vector_index import wants_index
from memories.services.health import is_crowded
from memories.services.indexes import invalid_indexes, missing_indexes
from memories.services.overview import look_at_database
from memories.startup import leave_the_pool, newer_migrations, pending_migrations


def look_at_server() -> Iterator[Finding]:
    leave_the_pool()
    seen = look_at_database()
    version = seen.version.split()[0]
    yield from told(
        [*version_problems(), *encoding_problems()], f"PostgreSQL {version} answers, in UTF-8."
    )
    text = f"{seen.connections} of {seen.max_connections} connections are open."
    if is_crowded(seen):
        yield warning(text, "Raise max_connections there, or lower DATABASE_POOL_SIZE.")
    else:
        yield well(text)


def look_at_extension() -> list[Finding]:
    if problems := vector_problems():
        return told(problems, "")
    found = rows("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
    if not found:
        return [
            broken(
                "The extension vector (pgvector) is not in this database, though the server has "
                "it.",
                "Run `python manage.py migrate`, or CREATE EXTENSION vector as its administrator.",
            )
        ]
    return [well(f"The extension vector (pgvector) is {found[0][0]}.")]


def look_at_durability() -> list[Finding]:
    archived = " and archived" if settings.WAL_ARCHIVE else ""
    return told(
        [*durability_problems(), *archive_problems()],
        f"What is answered as stored is on the disk{archived}.",
    )


def look_at_migrations() -> list[Finding]:
    if newer := newer_migrations():
        return [
            broken(
                f"The tables are of a newer version: this one does not know {', '.join(newer)}.",
                "Run that newer version, or restore a backup that this one made.",
            )
        ]
    if pending := pending_migrations():
        return [
            broken(
                f"{len(pending)} migrations are not applied, from {pending[0]} on.",
                "Run `python manage.py migrate`, or start the orchestrator, which does it.",
            )
        ]
    return [well("All migrations are applied.")]


def look_at_indexes() -> Iterator[Finding]:
    invalid, missing = invalid_indexes(), missing_indexes()
    for name in invalid:
        yield broken(
            f"The index {name} is invalid: its last build was cut short, and no query uses it.",
            f"Run REINDEX INDEX CONCURRENTLY {name} in the database.",
        )
    for name in missing:
        yield broken(
            f"The index {name} is missing: some queries read whole tables.",
            "Make it again: `python manage.py tune_postgres` shows the statement.",
        )
    model = active_model()
    if model and wants_index(model):
        yield warning(
            f"The vectors of {model.name} have no valid HNSW index yet, and are many.",
            "A running orchestrator builds it within minutes; "
            "`python manage.py embedding_models list` tells.",
        )
    elif not invalid and not missing:
        yield well("Every index is there and valid.")


def look_at_clock() -> list[Finding]:
    seconds = measure_skew()
    if seconds is None:
        return [
            warning("The database answers slowly, so that its clock cannot be read.", "Ask again.")
        ]
    return [judge_skew(seconds)]


def judge_skew(seconds: float) -> Finding:
    """`seconds`: by how much the database's clock is ahead of this machine's."""
    off = describe_skew(seconds)
    if abs(seconds) < NOTICED_SKEW_SECONDS:
        return well("The database's clock and this machine's agree.")
    if abs(seconds) < HARMFUL_SKEW_SECONDS:
        return warning(f"{off}.", SKEW_ADVICE)
    return broken(f"{off}: memories expire at the wrong time.", SKEW_ADVICE)
