import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memories.text.tokens import count_tokens

# The true counts: cl100k, which is the dearer, by bpe-openai 0.1.4.
TRUE_COUNTS = {
    "english": ("Grandma is coming on Saturday and she is allergic to nuts.", 13),
    "german": ("Bitte erinnere mich daran, den Hausmeister anzurufen.", 16),
    "chinese": ("明天早上九点半水管工会来修厨房的水龙头。", 26),
    "code": ("def f(x):\n    return [y + 1 for y in x if y]\n", 18),
    "json": ('{"memory_id": "mem-9f86d081", "priority": 5}', 19),
}


@pytest.mark.parametrize("language", TRUE_COUNTS)
def test_the_estimate_is_near_and_rather_high(language):
    text, true_count = TRUE_COUNTS[language]
    assert 0.85 * true_count <= count_tokens(text) <= 1.7 * true_count


def test_no_text_takes_no_tokens():
    assert count_tokens("") == 0


@settings(deadline=None)
@given(st.text(), st.text())
def test_more_text_never_takes_less(text, more):
    assert count_tokens(f"{text}\n{more}") >= max(count_tokens(text), count_tokens(more))


@settings(deadline=None)
@given(st.text(min_size=1).filter(lambda text: not text.isspace()))
def test_whatever_is_visible_is_counted(text):
    assert 1 <= count_tokens(text) <= 2 * len(text)
