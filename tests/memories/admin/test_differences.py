"""What differs between two versions, as a person reads it."""

import random
import time

import pytest

from memories.admin.differences import MAX_CHARACTERS, Patience, difference


def marked(before, after):
    """-gone- and +new+ within what stayed."""
    signs = {"same": "", "gone": "-", "new": "+"}
    return "".join(
        f"{signs[piece.kind]}{piece.text}{signs[piece.kind]}" for piece in difference(before, after)
    )


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("the hall has it", "the attic has it", "the -hall-+attic+ has it"),
        ("a\nb\n", "a\nb\n", "a\nb\n"),
        ("a\n", "a\nb\n", "a\n+b\n+"),
        ("one two three\n", "vier five sechs\n", "-one two three\n-+vier five sechs\n+"),
        ("", "a", "+a+"),
        ("a", "", "-a-"),
        ("", "", ""),
    ],
)
def test_changes_are_marked_by_words_or_whole_lines(before, after, shown):
    assert marked(before, after) == shown


def test_what_stayed_is_cut_in_its_middle():
    same = "\n".join(f"line {number}" for number in range(100))
    shown = marked(f"old\n{same}\nold", f"new\n{same}\nnew")
    assert shown.startswith("-old\n-+new\n+line 0") and shown.endswith("line 99\n-old-+new+")
    assert len(shown) < 250


def test_twenty_of_the_worst_texts_take_little_time():
    chance = random.Random(1)
    signs = [chr(0x3041 + number) for number in range(85)]

    def hostile():
        return " ".join(chance.choices(signs, k=MAX_CHARACTERS // 2))

    worst = [(hostile(), hostile()) for _ in range(18)]
    worst += [("a b " * 9_999, "b a " * 9_999), ("a\n" * 9_999, "b\na\n" * 9_999)]
    patience = Patience()
    began = time.process_time()
    for before, after in worst:
        difference(before[:MAX_CHARACTERS], after[:MAX_CHARACTERS], patience)
    assert time.process_time() - began < 3


def test_where_patience_is_over_all_is_gone_and_all_is_new():
    assert [piece.kind for piece in difference("a b c d", "a b c e", Patience(0))] == [
        "gone",
        "new",
    ]


def test_a_long_text_on_one_line_is_compared_word_by_word():
    chance = random.Random(1)
    words = chance.choices([f"word{number}" for number in range(300)], k=1_100)
    before = " ".join(words)
    after = " ".join([*words[:500], "changed", *words[501:]])
    same, gone, new, rest = difference(before, after)
    assert (gone.text, new.text) == (words[500], "changed")
    assert same.text.endswith(words[499] + " ") and rest.text.startswith(" " + words[501])
