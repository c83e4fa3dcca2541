"""An erasure removes everything of one owner, and nothing of another."""

import msgspec
import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.utils import timezone

from memories.models import Erasure as ErasureRow
from memories.models import MemoryEntry, RequestKey
from memories.services.access import Access, log_accesses
from memories.services.erase import Erasure
from memories.services.named_owner import OwnerNotFound, owned_tables, owner_of
from memories.services.proofs import ProofFile, ProofsUnreadable, digest_of
from memories.services.sessions import owners_of_sessions
from tests.factories import wait_until
from tests.memories.lives import live

pytestmark = pytest.mark.django_db


def content_of(owner_id):
    """All rows of an owner, by table."""
    found = {}
    for table in owned_tables():
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT t::text FROM {table} t WHERE owner_id = %s ORDER BY 1", [owner_id]
            )
            found[table] = cursor.fetchall()
    return found


def everything():
    """The text of every row of the database that an assistant or the admin's log has filled."""
    texts = []
    for table in [*owned_tables(), "django_admin_log", "erasures"]:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT t::text FROM {table} t")
            texts += [text for (text,) in cursor.fetchall()]
    return "\n".join(texts)


def erase(owner, tmp_path):
    erasure = Erasure(owner, "tester", ProofFile(tmp_path))
    for _ in erasure.steps():
        pass
    return erasure.proof


@pytest.mark.parametrize(("user", "session"), [("anna", "kitchen"), ("", "hall")])
def test_everything_of_the_owner_goes_and_nothing_of_another(
    wire, trial, tmp_path, monkeypatch, user, session
):
    monkeypatch.setattr("memories.services.erase.BATCH", 2)
    live(wire, user, session)
    live(wire, "bert", "cellar")
    other = owner_of("bert")
    before = content_of(other.owner_id)
    assert all(before[table] for table in owned_tables() if table != "request_keys")
    owner = owner_of(user, session if not user else "")
    proof = erase(owner, tmp_path)
    assert not any(content_of(owner.owner_id).values())
    assert content_of(other.owner_id) == before
    left = everything()
    assert session not in left and (not user or user not in left)
    assert LogEntry.objects.count() == 3
    assert proof.counts["memory_entries"] == 4
    assert owners_of_sessions([session]) == {}
    with pytest.raises(OwnerNotFound):
        owner_of(user, session if not user else "")


def test_answers_that_tell_of_the_owner_go_from_other_sessions_as_well(wire, trial, tmp_path):
    live(wire, "anna", "kitchen")
    erase(owner_of("anna"), tmp_path)
    assert RequestKey.objects.count() == 0


def test_the_proof_tells_nothing_of_what_was(wire, trial, tmp_path):
    live(wire, "anna", "kitchen")
    owner = owner_of("anna")
    proof = erase(owner, tmp_path)
    [row] = ErasureRow.objects.all()
    assert (row.id, row.owner_digest, row.erased_by) == (
        proof.id,
        digest_of(owner.owner_id),
        "tester",
    )
    [_, line] = (tmp_path / "erasures.jsonl").read_text().splitlines()
    assert msgspec.json.decode(line)["counts"] == row.counts
    for text in (tmp_path / "erasures.jsonl").read_text(), row.erased_by:
        assert "anna" not in text and str(owner.owner_id) not in text
    assert (tmp_path / "erasures.jsonl").stat().st_mode & 0o077 == 0


def test_nothing_goes_where_the_proof_cannot_be_written(wire, trial, tmp_path):
    live(wire, "anna", "kitchen")
    (tmp_path / "file").touch()
    before = content_of(owner_of("anna").owner_id)
    with pytest.raises(OSError, match="file"):
        erase(owner_of("anna"), tmp_path / "file")
    assert content_of(owner_of("anna").owner_id) == before


@pytest.mark.parametrize("left", [1, 2, 5, 8])
def test_an_erasure_that_is_cut_short_has_its_proof_and_is_finished_by_the_next(
    wire, trial, tmp_path, left
):
    """`left`: how many of the last steps were not done; without the last one, only the proof."""
    live(wire, "bert", "cellar")
    as_many = list(Erasure(owner_of("bert"), "tester", ProofFile(tmp_path / "bert")).steps())
    live(wire, "anna", "kitchen")
    owner, file = owner_of("anna"), ProofFile(tmp_path)
    steps = Erasure(owner, "tester", file).steps()
    for _ in as_many[left:]:
        next(steps)
    steps.close()
    assert any(content_of(owner.owner_id).values()) == (left > 1)
    begun = file.read()[-1]
    assert (begun.owner_digest, begun.counts) == (digest_of(owner.owner_id), {})
    assert ErasureRow.objects.get(owner_digest=begun.owner_digest).id == begun.id
    again = owner_of("anna", or_half_erased=True)
    proof = erase(again, tmp_path)
    assert (proof.id, proof.is_complete) == (begun.id, True)
    assert file.read()[-1] == proof
    assert not any(content_of(owner.owner_id).values())
    with pytest.raises(OwnerNotFound):
        owner_of("anna", or_half_erased=True)


def test_the_file_gets_what_the_table_alone_knows_and_loses_what_was_cut_off(wire, trial, tmp_path):
    live(wire, "anna", "kitchen")
    first = erase(owner_of("anna"), tmp_path)
    (tmp_path / "erasures.jsonl").write_text('{"id": "cut o')
    assert ProofFile(tmp_path).read() == []
    live(wire, "anna", "kitchen")
    second = erase(owner_of("anna"), tmp_path)
    assert ProofFile(tmp_path).read() == [first, second]
    (tmp_path / "erasures.jsonl").write_text("nonsense\n")
    with pytest.raises(ProofsUnreadable, match="damaged"):
        ProofFile(tmp_path).read()


def test_a_session_of_a_user_is_the_users(wire):
    wire.data("create_session", {"user_id": "anna"}, session_id="kitchen")
    with pytest.raises(OwnerNotFound, match="anna"):
        owner_of(session="kitchen")
    assert owner_of("anna") == owner_of(owner_id=owner_of("anna").owner_id).__class__(
        owner_of("anna").owner_id, "anna", "anna"
    )


def test_what_is_read_shortly_before_is_not_logged_afterwards(wire, trial, tmp_path):
    live(wire, "anna", "kitchen")
    memory_id = MemoryEntry.objects.first().id
    erase(owner_of("anna"), tmp_path)
    log_accesses({Access(memory_id, "", "read", timezone.now().date()): 1}, timezone.now())
    assert wait_until(lambda: memory_id not in everything())
