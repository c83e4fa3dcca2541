"""Erases from a restored database who was erased after its backup. Called before it is served.

The database may be of an older version: what it has is found out, and not taken from the models.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from memories import ids
from memories.backups.errors import BackupError
from memories.backups.server import Server
from memories.backups.swapping import is_used
from memories.errors import MemoriesError
from memories.services import admin_log, requests
from memories.services.proofs import (
    INSERT_PROOF,
    SELECT_PROOFS,
    Proof,
    ProofFile,
    completed,
    digest_of,
    is_news,
    proof_of,
    values_of,
)

Connection = psycopg.Connection[Any]


def gather_proofs(server: Server, file: ProofFile) -> list[Proof]:
    """All that are known: of the file, and of the database that is to be replaced, if it is there.
    The file then has them all, since that database is about to go. Raises BackupError."""
    known = {proof.id: proof for proof in read_proofs(file)}
    if is_used(server):
        with server.connect(server.database) as connection:
            found = _proofs_in(connection)
        news = [proof for proof in found if is_news(proof, known.get(proof.id))]
        if news:
            file.append(news)
        known |= {proof.id: proof for proof in news}
    return list(known.values())


class RepeatedErasures:
    """In a database that is about to take the configured name. `repeat` may be called again, for
    who was erased meanwhile. `proofs`: all that are known; `count`: owners that it had of them."""

    def __init__(self, server: Server, database: str, file: ProofFile) -> None:
        self._server = server
        self._database = database
        self._file = file
        self.proofs: list[Proof] = []
        self.count = 0

    def repeat(self) -> None:
        self.proofs = gather_proofs(self._server, self._file)
        self.count += erase_again(self._server, self._database, self.proofs)


def read_proofs(file: ProofFile) -> list[Proof]:
    """Raises BackupError."""
    try:
        return file.read()
    except MemoriesError as error:
        raise BackupError(error.message) from error


def erase_again(server: Server, database: str, proofs: Iterable[Proof]) -> int:
    """Erase from `database` every owner whose proof it lacks; returns how many it had.

    A complete proof that it has is older than its backup: what it holds of that owner came later,
    and stays. One of an erasure that was at work then counts as lacking, and is completed.
    """
    with server.connect(database) as connection:
        has = {proof.id for proof in _proofs_in(connection) if proof.is_complete}
        lacking = [proof for proof in proofs if proof.id not in has]
        if not lacking:
            return 0
        digests = {proof.owner_digest for proof in lacking}
        tables = [table for (table,) in connection.execute(_OWNED).fetchall()]
        owners = [owner for owner in _owners(connection, tables) if digest_of(owner) in digests]
        with connection.transaction():
            _drop_checks(connection)
            counts = {digest_of(owner): _erase(connection, owner, tables) for owner in owners}
            if _has_table(connection, "erasures"):
                for proof in lacking:
                    done = completed(proof, counts.get(proof.owner_digest, {}))
                    connection.execute(INSERT_PROOF, values_of(done))
    return len(owners)


def _erase(connection: Connection, owner: UUID, tables: list[str]) -> dict[str, int]:
    """How many rows went, by table."""
    sessions = connection.execute(
        "SELECT id, user_id FROM sessions WHERE owner_id = %s", [owner]
    ).fetchall()
    profiles = connection.execute("SELECT user_id FROM user_profiles WHERE owner_id = %s", [owner])
    users = {user for (*_, user) in [*sessions, *profiles]}
    named: Mapping[str, Any] = {
        "owner": owner,
        "user": next((user for user in users if ids.owner_of_user(user) == owner), None),
        "part": ids.owner_text(owner),
        "owners": requests.owners_of_keys(owner, [session_id for session_id, _ in sessions]),
    }
    connection.execute(requests.FORGET_OWNER, named)
    connection.execute(admin_log.FORGET_OWNER, named)
    counts = {}
    for table in tables:
        statement = sql.SQL("DELETE FROM {} WHERE owner_id = %s").format(sql.Identifier(table))
        counts[table] = connection.execute(statement, [owner]).rowcount
    return counts


def _owners(connection: Connection, tables: list[str]) -> set[UUID]:
    found: set[UUID] = set()
    for table in tables:
        statement = sql.SQL("SELECT DISTINCT owner_id FROM {}").format(sql.Identifier(table))
        found |= {owner for (owner,) in connection.execute(statement)}
    return found


def _proofs_in(connection: Connection) -> list[Proof]:
    if not _has_table(connection, "erasures"):
        return []
    return [proof_of(row) for row in connection.execute(SELECT_PROOFS)]


def _has_table(connection: Connection, table: str) -> bool:
    return connection.execute("SELECT to_regclass(%s)", [table]).fetchall() != [(None,)]


def _drop_checks(connection: Connection) -> None:
    """Of an older version, which looked through whole tables for each memory that is removed. The
    migrations that follow drop them as well."""
    for table, name in connection.execute(_CHECKS).fetchall():
        statement = sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}")
        connection.execute(statement.format(sql.Identifier(table), sql.Identifier(name)))


_OWNED = """
SELECT c.table_name FROM information_schema.columns c JOIN information_schema.tables t
    ON t.table_schema = c.table_schema AND t.table_name = c.table_name
WHERE c.table_schema = 'public' AND c.column_name = 'owner_id' AND t.table_type = 'BASE TABLE'
ORDER BY 1"""

_CHECKS = """
SELECT c.relname, k.conname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE k.contype = 'f' AND k.confrelid IN ('memory_entries'::regclass, 'sessions'::regclass)"""
