"""An export holds everything of its owner, and comes back byte for byte."""

import json
import os
import re
import subprocess
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from memories.exports.reading import batches_of, check_export, is_export
from memories.models import EmbeddingModel, EmbeddingTask, MemoryEntry
from memories.services.erase import Erasure
from memories.services.named_owner import owner_of
from memories.services.proofs import ProofFile
from tests.factories import store
from tests.memories.lives import live

STRANGE = {
    "text": "<script>alert('ünïcode')</script> \u2028 \u202e & \U0001f600",
    "number": 12345678901234567890.123456789012345678,
    "nested": {"a": [1, None, {"b": "</pre>"}]},
}


@pytest.fixture
def anna(committing_wire, trial):
    """Writes with real commits: an export reads one moment of the database."""
    wire = committing_wire
    live(wire, "anna", "kitchen")
    strange = {"memory_type": "fact", "content": STRANGE, "ttl": 90_000, "tags": ["ä", "<"]}
    wire.data("create", strange, session_id="kitchen")
    wire.create("it was said long ago", "kitchen", created_at="2020-02-29T23:59:59.999999Z")
    live(wire, "bert", "cellar")
    return wire


def export(folder, *arguments):
    """The lines and the page, as bytes."""
    call_command("export_owner", *(arguments or ["anna"]), output=folder)
    [lines] = folder.glob("*.jsonl")
    [page] = folder.glob("*.html")
    return lines, page


def erase(user, folder):
    for _ in Erasure(owner_of(user), "tester", ProofFile(folder)).steps():
        pass


def bring(*arguments):
    call_command("import_memories", *arguments)


def test_it_comes_back_byte_for_byte(anna, tmp_path, capsys):
    lines, page = export(tmp_path / "first")
    again, _ = export(tmp_path / "again")
    assert lines.read_bytes() == again.read_bytes()
    erase("anna", tmp_path)
    moved = tmp_path / "any name"
    lines.rename(moved)
    bring(moved, "--erased-too")
    assert "memory, 6 rows: 6 new, 0 known" in capsys.readouterr().out
    second_lines, second_page = export(tmp_path / "second")
    assert second_lines.read_bytes() == moved.read_bytes()
    assert second_page.read_bytes() == page.read_bytes()
    # what is made of the content is there as well
    found = anna.data("search", {"query": "ago", "search_type": "keyword"}, session_id="kitchen")
    assert [memory["content"]["text"] for memory in found["results"]] == ["it was said long ago"]
    assert EmbeddingTask.objects.filter(owner_id=owner_of("anna").owner_id).count() == 5
    bring(moved, "--erased-too")
    assert "memory, 6 rows: 0 new, 6 known" in capsys.readouterr().out
    bring(moved, "--verify", "--erased-too")


def test_who_was_erased_since_stays_erased(anna, tmp_path, capsys):
    lines, _ = export(tmp_path / "first")
    erase("anna", tmp_path)
    with pytest.raises(CommandError, match="Not all is here"):
        bring(lines)
    assert "its owner was erased on " in capsys.readouterr().err
    assert not MemoryEntry.all_objects.filter(session_id="kitchen").exists()


def test_it_holds_everything_of_its_owner_and_nothing_of_another(anna, tmp_path):
    lines, page = export(tmp_path)
    first, *rest, last = map(json.loads, lines.read_bytes().splitlines())
    kinds = [kind for row in rest for kind in row]
    assert first["counts"] == {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}
    assert set(kinds) == {
        "session",
        "profile",
        "memory",
        "revision",
        "relationship",
        "state",
        "access",
    }
    assert last["end"]["lines"] == len(rest) + 1
    assert sum(bool(row["memory"]["deleted_at"]) for row in rest if "memory" in row) == 1
    for path in (lines, page):
        text = path.read_text()
        assert "bert" not in text and "cellar" not in text
        assert path.stat().st_mode & 0o077 == 0


def test_the_page_shows_what_was_said_and_runs_nothing(anna, tmp_path):
    _, page = export(tmp_path)
    text = page.read_text()
    for said in ("kitchen 0", "changed", "it was said long ago", "deleted 20", "before update"):
        assert said in text
    assert "<script>" not in text and "&lt;script&gt;" in text
    assert not re.search(r"(src|href)=", text)


def test_a_number_that_python_does_not_read_is_exported_and_comes_back(
    committing_wire, trial, tmp_path
):
    """Earlier versions kept such numbers."""
    digits = "1" + "0" * 5000
    live(committing_wire, "anna", "kitchen")
    store(session_id="kitchen", content_json=b'{"text":"many","n":%s}' % digits.encode())
    lines, page = export(tmp_path)
    assert digits in page.read_text()
    erase("anna", tmp_path)
    bring(lines, "--erased-too")
    assert MemoryEntry.objects.get(text="many").content["n"] == digits


def test_what_stands_here_with_other_content_stays_and_is_told(anna, tmp_path, capsys):
    lines, _ = export(tmp_path)
    changed = MemoryEntry.objects.get(text="it was said long ago")
    anna.data("update", {"memory_id": changed.id, "priority": 9}, session_id="kitchen")
    with pytest.raises(CommandError, match="Not all is here"):
        bring(lines, "--report", tmp_path / "report")
    assert MemoryEntry.objects.get(id=changed.id).priority == 9
    assert changed.id in (tmp_path / "report").read_text()


def test_a_dry_run_and_a_verification_write_nothing(anna, tmp_path, capsys):
    lines, _ = export(tmp_path)
    erase("anna", tmp_path)
    bring(lines, "--dry-run", "--erased-too")
    assert "memory, 6 rows: 6 not here" in capsys.readouterr().out
    with pytest.raises(CommandError):
        bring(lines, "--verify", "--erased-too")
    assert not MemoryEntry.all_objects.filter(session_id="kitchen").exists()


SPOILT = {
    "cut in a line": (lambda text: text[: len(text) // 2], "cut short"),
    "cut at a line": (lambda text: b"".join(text.splitlines(True)[:-1]), "last line is missing"),
    "changed": (lambda text: text.replace(b"long ago", b"just now"), "checksum"),
    "newer": (lambda text: text.replace(b'"version":1', b'"version":9', 1), "checksum"),
}


@pytest.mark.parametrize("kind", SPOILT)
def test_what_is_spoilt_is_refused_before_anything_is_brought(anna, tmp_path, capsys, kind):
    lines, _ = export(tmp_path)
    erase("anna", tmp_path)
    spoil, words = SPOILT[kind]
    lines.write_bytes(spoil(lines.read_bytes()))
    with pytest.raises(CommandError, match="Not all is here"):
        bring(lines)
    [*_, told] = capsys.readouterr().err.strip().splitlines()
    assert told.startswith(str(lines)) and words in told
    assert not MemoryEntry.all_objects.filter(session_id="kitchen").exists()


def test_a_session_without_a_user_is_exported_too(committing_wire, trial, tmp_path):
    live(committing_wire, "", "hall")
    lines, _ = export(tmp_path, "--session", "hall")
    assert json.loads(lines.read_text().splitlines()[0])["user_id"] == ""
    owner_id = owner_of(session="hall").owner_id
    for _ in Erasure(owner_of(session="hall"), "tester", ProofFile(tmp_path)).steps():
        pass
    bring(lines, "--erased-too")
    assert owner_of(session="hall").owner_id == owner_id


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nobody"], "Nothing is stored of a user 'nobody'"),
        ([], "Name one owner"),
        (["a\0b"], "U\\+0000"),
    ],
)
def test_who_is_not_there_is_told(arguments, words, tmp_path):
    with pytest.raises(CommandError, match=words):
        call_command("export_owner", *arguments, output=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_none_is_refused(anna, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="is no folder"):
        call_command("export_owner", "anna", output=tmp_path / "file")


def test_a_full_disk_leaves_nothing(anna, tmp_path):
    mounting = ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mounting, capture_output=True).returncode != 0:
        pytest.skip("a small disk can be mounted by root alone")
    try:
        with pytest.raises(CommandError, match="No space left"):
            call_command("export_owner", "anna", output=tmp_path)
        assert list(tmp_path.iterdir()) == []
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_vectors_that_cannot_be_made_again_are_warned_of(anna, tmp_path, capsys):
    export(tmp_path / "first")
    assert "vectors" not in capsys.readouterr().err
    EmbeddingModel.objects.update(kind="given")
    export(tmp_path / "second")
    assert "vectors that clients gave are not in it" in capsys.readouterr().err


def test_a_row_of_many_megabytes_can_be_read_back(tmp_path):
    path = tmp_path / "export"
    lines = [
        b'{"format":"memories-owner-export","version":1,"owner_id":"x","user_id":"","counts":{}}\n',
        b'{"memory":{"content":"' + b"x" * (65 << 20) + b'"}}\n',
    ]
    digest = sha256(b"".join(lines)).hexdigest()
    end = json.dumps({"end": {"lines": 2, "sha256": digest}}, separators=(",", ":"))
    path.write_bytes(b"".join(lines) + end.encode() + b"\n")
    assert check_export(path).counts == {}
    assert [len(batch.rows) for batch in batches_of(path)] == [1]


def test_an_export_is_told_by_its_content(tmp_path):
    other = Path(tmp_path / "export-anna.jsonl")
    other.write_text(json.dumps({"at": datetime.now(UTC).isoformat()}))
    assert not is_export(other) and not is_export(tmp_path) and not is_export(tmp_path / "none")
