"""What differs between two versions, as a person reads it."""

import time

import pytest

from memories.admin.differences import MAX_CHARACTERS, difference


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


def test_the_worst_texts_take_no_time():
    began = time.process_time()
    for before, after in (("a b " * 9_999, "b a " * 9_999), ("a\n" * 9_999, "b\na\n" * 9_999)):
        difference(before[:MAX_CHARACTERS], after[:MAX_CHARACTERS])
    assert time.process_time() - began < 5
