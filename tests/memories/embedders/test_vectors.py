"""What clients give as vectors, and the embedders that need no model."""

import math

import numpy as np
import pytest

from memories.embedders.base import check_vector
from memories.embedders.errors import EmbedderLoadError, NeverEmbeds
from memories.embedders.given import GivenEmbedder
from memories.embedders.hashing import HashingEmbedder
from memories.embedders.loading import load_embedder
from memories.embedders.options import EmbedderOptions


def test_a_good_vector_keeps_its_direction_and_gets_length_one():
    assert check_vector([3, 0.0, -4], 3).tolist() == pytest.approx([0.6, 0, -0.8])


@pytest.mark.parametrize("values", [[1e300, 1e300], [1e-300, 1e-300], [5e-324, 5e-324]])
def test_very_large_and_very_small_numbers_are_no_reason_to_refuse(values):
    assert check_vector(values, 2).tolist() == pytest.approx([math.sqrt(0.5)] * 2)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1.0, 2.0], "has 2 numbers, but the active model's have 3"),
        ([1.0, math.nan, 2.0], "NaN or infinity"),
        ([1.0, math.inf, 2.0], "NaN or infinity"),
        ([0.0, 0, -0.0], "only zeros"),
        ([1.0, "2", 3.0], "item 1 is not a number"),
        ([True, 1.0, 2.0], "item 0 is not a number"),
        ([1.0, 2.0, None], "item 2 is not a number"),
        ([1.0, 10**400, 2.0], "beyond the range"),
    ],
)
def test_a_bad_vector_is_refused_with_the_reason(values, said):
    with pytest.raises(ValueError, match=said):
        check_vector(values, 3)


def test_hashing_makes_the_same_vector_everywhere_and_finds_shared_words():
    embedder = HashingEmbedder()
    keys, weather = embedder.embed_documents(["My keys are on the table.", "Rain tomorrow"])
    (query,) = embedder.embed_queries(["where are my KEYS"])
    assert query @ keys > query @ weather
    assert np.flatnonzero(embedder.embed_documents(["keys"])[0]).tolist() == [40]
    assert embedder.embed_documents([]).shape == (0, 64)
    assert np.linalg.norm(embedder.embed_documents(["", "?!"]), axis=1).tolist() == [1, 1]


@pytest.mark.parametrize("kind", ["given", "none"])
def test_an_installation_of_given_vectors_never_embeds_text(kind, tmp_path):
    embedder = load_embedder(kind, tmp_path, EmbedderOptions(dimension=768))
    assert isinstance(embedder, GivenEmbedder)
    assert (embedder.dimension, embedder.embeds_text) == (768, False)
    with pytest.raises(NeverEmbeds, match="query_embedding"):
        embedder.embed_queries(["hello"])


def test_an_unknown_embedder_stops_the_start_and_names_the_known_ones(tmp_path):
    with pytest.raises(EmbedderLoadError, match="no embedder 'minlm'; choose one of minilm, e5"):
        load_embedder("minlm", tmp_path)
