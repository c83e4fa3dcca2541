import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memories.text.cutting import cut_text, split_at_words

TEXT = "I went home. Then I saw Dr. Smith who said that everything is fine."
FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"


@pytest.mark.parametrize(
    ("max_characters", "cut"),
    [
        (len(TEXT), TEXT),
        (40, "I went home. Then I saw Dr. Smith who…"),
        (20, "I went home. …"),
        (5, "I we…"),
        (1, "…"),
    ],
)
def test_cuts_behind_a_sentence_or_else_a_word(max_characters, cut):
    assert cut_text(TEXT, max_characters) == cut


def test_leaves_a_text_that_fits():
    assert cut_text("  Fits. ", 5) == "Fits."


@pytest.mark.parametrize(
    ("grapheme", "max_characters", "kept"),
    [
        (FAMILY, 10, 1),
        ("e\u0301", 4, 1),
        ("\U0001f1e9\U0001f1ea", 4, 1),
        ("\U0001f44d\U0001f3fd", 6, 2),
    ],
)
def test_never_cuts_inside_a_grapheme(grapheme, max_characters, kept):
    assert cut_text(grapheme * 5, max_characters) == grapheme * kept + "…"


def test_refuses_a_bound_that_holds_nothing():
    with pytest.raises(ValueError, match="max_characters is 0"):
        cut_text("text", 0)


@settings(deadline=None)
@given(st.text(), st.integers(min_value=1, max_value=60))
def test_keeps_the_bound_and_the_beginning(text, max_characters):
    cut = cut_text(text, max_characters)
    assert len(cut) <= max_characters
    assert text.strip().startswith(cut.removesuffix("…").rstrip())


@settings(deadline=None)
@given(st.text(), st.integers(min_value=1, max_value=20))
def test_splitting_loses_nothing_but_space(text, max_characters):
    pieces = split_at_words(text, max_characters)
    assert all(0 < len(piece) <= max_characters for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())
