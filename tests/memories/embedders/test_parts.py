"""Where long texts are cut, and what their one vector is made of."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memories.embedders.hashing import HashingEmbedder
from memories.embedders.parts import embed_in_parts, estimated_spans, split_text


def split(text, max_tokens, max_parts=16):
    return split_text(text, max_tokens, estimated_spans, max_parts)


def test_a_short_text_is_one_part_as_it_is():
    assert split("  Hello.  How are you?", 20) == ["  Hello.  How are you?"]
    assert split("", 20) == [""]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One two six. Ten one two. Six ten", ["One two six. Ten one two.", "Six ten"]),
        ('She said "one two." He ran off.', ['She said "one two."', "He ran off."]),
        ("one two\nsix ten one two six ten one", ["one two", "six ten one two six ten one"]),
        ("今日はいい天気。明日は雨だ。", ["今日はいい天気。", "明日は雨だ。"]),
    ],
)
def test_cuts_fall_between_sentences(text, parts):
    assert split(text, 8) == parts


def test_a_long_sentence_is_cut_between_words_and_a_long_word_between_tokens():
    assert split("abc def ghiabcjkl abc", 4) == ["abc def", "ghiabcjkl abc"]
    assert split("abcdefghijkl", 2) == ["abcdef", "ghijkl"]


def test_what_passes_the_number_of_parts_is_left_out():
    assert split("one two. six ten. one two. ", 3, max_parts=2) == ["one two.", "six ten."]


def test_a_huge_text_costs_no_more_than_what_is_kept_of_it():
    seen = []

    def spans(text):
        seen.append(len(text))
        return estimated_spans(text)

    split_text("word " * 200_000, 100, spans, max_parts=4)
    assert max(seen) <= 10_000


@given(st.text(max_size=300), st.integers(1, 20))
def test_parts_keep_order_and_every_token_within_the_window(text, max_tokens):
    parts = split(text, max_tokens, max_parts=1000)
    assert all(len(estimated_spans(part)) <= max_tokens for part in parts)
    kept = "".join("".join(parts).split())
    assert [c for c in text if c.isalnum()] == [c for c in kept if c.isalnum()]


def test_a_text_of_few_bytes_is_not_even_tokenised():
    tokenised = []

    def spans(text):
        tokenised.append(text)
        return estimated_spans(text)

    assert [split_text(text, 9, spans) for text in ("한국어", "한국어!")] == [
        ["한국어"],
        ["한국어!"],
    ]
    assert tokenised == ["한국어!"]  # of ten bytes


def test_what_no_tokenizer_takes_is_replaced():
    assert split("a\ud800b\0c", 9) == ["a?b c"]


def test_a_long_text_is_near_what_any_of_its_parts_says():
    embedder = HashingEmbedder(512)
    long = "The keys lie on the table. " * 3 + "Anna eats no peanuts at all. " * 3
    vectors = embed_in_parts(
        ["rain", long, ""], lambda text: split(text, 12), embedder.embed_documents
    )
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1])
    for said in ("keys table", "anna peanuts"):
        (query,) = embedder.embed_queries([said])
        assert query @ vectors[1] > 0.3 > query @ vectors[0]
    assert np.array_equal(vectors[0], embedder.embed_documents(["rain"])[0])
