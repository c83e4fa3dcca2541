"""Erase an owner: everything, everywhere, with a proof that holds nothing of it.

Called by `manage.py erase_owner` and admin. Readers and writers go on meanwhile. What an assistant
says to one of the owner's sessions later begins a new life there.
"""

import secrets
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from threading import Event
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from memories import changes, ids
from memories.changes import rows
from memories.services import admin_log, requests
from memories.services.caches import forget_everything
from memories.services.named_owner import Owner, owned_tables
from memories.services.orchestrators import running_orchestrators
from memories.services.proofs import (
    Proof,
    ProofFile,
    begun_proof,
    completed,
    digest_of,
    keep_in_table,
    sync_file,
)

BATCH = 1_000
# Within it every orchestrator has heard of a change, or serves nothing from memory.
_HEARD_SECONDS = 2.0


class Erasure:
    """`steps` does it, each step a transaction; it may be repeated after a failure. `counts`: the
    rows removed, by table. The proof is there from the first removed row on, so that an erasure
    that is never finished here is finished by a restore."""

    def __init__(self, owner: Owner, erased_by: str, proof_file: ProofFile) -> None:
        self._owner = owner
        self._erased_by = erased_by
        self._proof_file = proof_file
        self._named: dict[str, Any] = {
            "owner": owner.owner_id,
            "user": owner.user_id or None,
            "part": ids.owner_text(owner.owner_id),
        }
        self.counts: Counter[str] = Counter()

    def steps(self) -> Iterator[None]:
        """Raises OSError, before anything is removed, where the proof cannot be written."""
        sync_file(self._proof_file)
        self._proof_file.append()
        self.proof = begun_proof(self._owner.owner_id) or self._new_proof()
        heard_at = time.monotonic() + _HEARD_SECONDS
        self._remove_sessions()
        yield
        for table in owned_tables():
            while self._remove_batch(table):
                yield
        if running_orchestrators():
            Event().wait(max(0.0, heard_at - time.monotonic()))
        self._remove_rest(timezone.now())
        yield

    def _remove_sessions(self) -> None:
        """First, so that no orchestrator that has heard of it stores anything for the owner."""
        found = rows("SELECT id FROM sessions WHERE owner_id = %(owner)s", self._named)
        session_ids = [session_id for (session_id,) in found]
        self._named["owners"] = requests.owners_of_keys(self._owner.owner_id, session_ids)
        with transaction.atomic():
            self._remove("request_keys", requests.FORGET_OWNER)
            self._remove("django_admin_log", admin_log.FORGET_OWNER)
            self._remove("agent_states", _ALL.format(table="agent_states"))
            self._remove("sessions", _ALL.format(table="sessions"))
            keep_in_table([self.proof])
            self._tell_caches()
        # After the commit: a line for an erasure that failed would make a restore erase who is
        # still there.
        self._proof_file.append([self.proof])

    def _new_proof(self) -> Proof:
        return Proof(
            f"erasure-{secrets.token_hex(12)}",
            digest_of(self._owner.owner_id),
            {},
            timezone.now(),
            self._erased_by,
        )

    def _remove_batch(self, table: str) -> bool:
        """Whether there may be more."""
        if table == "memory_entries":
            count = self._remove_memories("IS NULL") or self._remove_memories("IS NOT NULL")
        else:
            count = len(rows(_some(table), self._named))
        self.counts[table] += count
        return count > 0

    def _remove_memories(self, deleted: str) -> int:
        """Those that are deleted and those that are not have an index each; none serves both."""
        with transaction.atomic():
            gone = rows(_some("memory_entries", f"AND deleted_at {deleted}", "id"), self._named)
            changes.notify_changed([memory_id for (memory_id,) in gone])
        return len(gone)

    def _remove_rest(self, now: datetime) -> None:
        """What came meanwhile, and the proof's completion, in one transaction."""
        with transaction.atomic():
            self._remove("request_keys", requests.FORGET_OWNER)
            self._remove("django_admin_log", admin_log.FORGET_OWNER)
            for table in owned_tables():
                self._remove(table, _ALL.format(table=table))
            self.proof = completed(self.proof, self.counts, now)
            keep_in_table([self.proof])
            self._tell_caches()
        self._proof_file.append([self.proof])

    def _remove(self, table: str, sql: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql, self._named)
            self.counts[table] += cursor.rowcount

    def _tell_caches(self) -> None:
        rows("SELECT pg_notify(%s, %s)", [changes.CHANNEL, changes.EVERYTHING])
        transaction.on_commit(forget_everything)


_ALL = "DELETE FROM {table} WHERE owner_id = %(owner)s"


def _some(table: str, condition: str = "", returned: str = "1") -> str:
    """By their place, which needs no column of its own to tell a row."""
    return f"""
        DELETE FROM {table} WHERE owner_id = %(owner)s AND ctid = ANY (ARRAY(
            SELECT ctid FROM {table} WHERE owner_id = %(owner)s {condition} LIMIT {BATCH}))
        RETURNING {returned}"""
