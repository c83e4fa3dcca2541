"""`manage.py check_recall`: what it prints, and that it notices what searches miss."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from memories.embedders.given import GivenEmbedder
from memories.services.search import candidates
from memories.services.store import store_memories
from tests.embedders import embed_all, serve_by
from tests.factories import create, new_memory

NOW = datetime(2026, 1, 31, tzinfo=UTC)
FILTERS = ("session", "owner", "type", "tag", "all")

pytestmark = pytest.mark.django_db


def run(*arguments):
    out, errors = StringIO(), StringIO()
    call_command("check_recall", "--count", "5", *arguments, stdout=out, stderr=errors)
    return out.getvalue(), errors.getvalue()


def cells(out):
    """The rows of the table by their first cell."""
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines()]
    return {line[0]: line[1:] for line in lines if line}


@pytest.fixture
def stored(trial):
    """Four owners, two sessions of one, two types, and a tag on every tenth."""
    new = [
        new_memory(
            f"alpha {number} beta {number % 13} gamma {number % 7}",
            session_id=f"session-{number % 4}",
            memory_type=("a", "b")[number % 2],
            tags=["tenth"] if number % 10 == 0 else ["other"],
            created_at=NOW + timedelta(minutes=number),
        )
        for number in range(200)
    ]
    store_memories(new)
    embed_all()


def test_it_tells_recall_and_latency_by_share_of_the_data(stored):
    out, errors = run("--check")
    found = cells(out)
    assert found.keys() == {*FILTERS, "newest 1.00%", "newest 10.00%"}
    assert found["newest 10.00%"][:3] == ["10.5 %", "5", "1.000"]
    assert found["all"][:3] == ["100 %", "5", "1.000"]
    assert found["owner"][0] == "25 %"
    assert all(float(row[3]) > 0 for row in found.values())
    assert errors == ""


def test_what_searches_miss_is_a_warning_and_an_exit_code(stored, monkeypatch):
    monkeypatch.setattr(candidates, "ALL_UP_TO", 0)
    monkeypatch.setattr(candidates, "ARM_SIZE", 3)
    monkeypatch.setattr(candidates, "_SPARE", 0)
    monkeypatch.setattr(candidates, "ANCHORS", 0)
    _, errors = run()
    assert "Recall@10 is below 0.98" in errors
    with pytest.raises(CommandError, match=r"Recall@10 is below 0.98: .*all 0\.\d"):
        run("--check")


def test_queries_may_come_from_a_file(stored, tmp_path):
    path = tmp_path / "queries"
    path.write_text("alpha 5\n\nbeta 3\n")
    assert cells(run("--queries", str(path))[0])["all"][2] == "1.000"
    path.write_text("\n")
    with pytest.raises(CommandError, match="holds no query"):
        run("--queries", str(path))
    with pytest.raises(CommandError, match="cannot be read"):
        run("--queries", str(tmp_path / "absent"))


def test_of_given_vectors_the_stored_ones_are_searched_with(wire, embedders):
    serve_by(GivenEmbedder(2), "given")
    for number in range(12):
        wire.data("create", create(str(number), embedding=[1, number]))
    assert cells(run()[0])["all"][2] == "1.000"


def test_it_says_why_nothing_can_be_measured(db, trial):
    with pytest.raises(CommandError, match="No memory has a vector"):
        run()
    with pytest.raises(CommandError, match="--count"):
        run("--count", "0")


def test_without_a_model_it_says_so(db):
    with pytest.raises(CommandError, match="No embedding model is active"):
        run()
