"""Why a search found a memory: the words that it holds, in a passage around them."""

import pytest

from memories.ids import owner_in
from memories.services.search.explain import PASSAGE_CHARACTERS, explain_matches
from tests.factories import store

pytestmark = pytest.mark.django_db


def passage_of(text, query):
    memory_id = store(text)
    return explain_matches(query, [(owner_in(memory_id), memory_id)])[memory_id]


def test_the_words_are_marked_in_all_their_forms():
    passage = passage_of("Two kettles: a KETTLE, and a cat.", "the kettle")
    assert [part for part, hit in passage.parts if hit] == ["kettles", "KETTLE"]
    assert "".join(part for part, _ in passage.parts) == "Two kettles: a KETTLE, and a cat."
    assert passage.words == ("kettles", "kettle")


def test_a_long_text_is_cut_around_the_first_word():
    passage = passage_of("word " * 2_000 + "the kettle boils " + "again " * 200, "kettle")
    whole = "".join(part for part, _ in passage.parts)
    assert "the kettle boils again" in whole
    assert whole.startswith("… word") and whole.endswith(" …")
    assert len(whole) <= PASSAGE_CHARACTERS + 10


@pytest.mark.parametrize("query", ["minou", "the", "", "-x", "'", '"the"'])
def test_without_a_word_it_is_the_beginning(query):
    passage = passage_of("The kettle \x02boils\x03.", query)
    assert passage.words == () and passage.parts == (("The kettle boils.", False),)
