"""Erasures are repeated on a database that was recovered to a time before them."""

import pytest
from django.core.management import CommandError, call_command

from memories.models import Erasure, MemoryEntry
from memories.services.erase import Erasure as ErasureWork
from memories.services.named_owner import owner_of
from memories.services.proofs import ProofFile
from tests.memories.lives import live


def test_a_recovered_database_loses_who_was_erased(
    committing_wire, trial, settings, tmp_path, capsys
):
    settings.DATA_DIR = tmp_path
    live(committing_wire, "anna", "kitchen")
    live(committing_wire, "bert", "cellar")
    for _ in ErasureWork(owner_of("anna"), "me", ProofFile(tmp_path / "erasures")).steps():
        pass
    # As it was before: she is there, and nothing is known of an erasure.
    live(committing_wire, "anna", "kitchen")
    proof_id = Erasure.objects.get().id
    Erasure.objects.all().delete()
    call_command("erase_owner", "--again")
    assert "1 erasures are known; 1 owners were erased again." in capsys.readouterr().out
    assert not MemoryEntry.all_objects.filter(session_id="kitchen").exists()
    assert MemoryEntry.all_objects.filter(session_id="cellar").exists()
    assert Erasure.objects.get().id == proof_id
    call_command("erase_owner", "--again")
    assert "; 0 owners" in capsys.readouterr().out


def test_no_owner_is_named_with_it():
    with pytest.raises(CommandError, match="name no owner"):
        call_command("erase_owner", "anna", "--again")
