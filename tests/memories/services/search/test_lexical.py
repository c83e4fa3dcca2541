"""Queries taken apart, and memories found by their words alone."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from memories.services.filters import Filter, Scope
from memories.services.search.lexical import MAX_LEXEMES, find_by_words, read_query
from memories.services.sessions import owners_of_sessions
from tests.factories import SESSION, store


def everything():
    return Filter(Scope.ALL)


@pytest.mark.parametrize(
    ("query", "words", "must"),
    [
        ("green tea", "green tea", ""),
        ('a "green tea" b', "a green tea b", '"green tea"'),
        ("tea -coffee", "tea", '-"coffee"'),
        ('tea -"with milk"', "tea", '-"with milk"'),
        ("well-known e-mail", "well-known e-mail", ""),
        ('an "open end', "an open end", ""),
        ("- -- tea", "- tea", '-"-"'),
        ("", "", ""),
        ("   ", "", ""),
        ('""', "", '""'),
        ("5'10\" tall", "5'10 tall", ""),
    ],
)
def test_a_query_is_words_phrases_and_exclusions(query, words, must):
    read = read_query(query)
    assert (read.words, read.must) == (words, must)


@pytest.mark.django_db
class TestFinding:
    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(query=some.text(some.characters(codec="utf-8", exclude_characters="\0"), max_size=80))
    def test_no_query_is_an_error(self, db, query):
        parts = read_query(query)
        assert find_by_words(parts, everything(), 10) == ([], 0)

    def test_a_word_may_look_like_syntax(self):
        texts = ["it's o'clock", r"C:\dir\file", "a&b|c", "50% off", "user@example.com"]
        ids = {text: store(text) for text in texts}
        for text, query in (
            ("it's o'clock", "o'clock"),
            (r"C:\dir\file", r"C:\dir\file"),
            ("user@example.com", "user@example.com"),
            ("50% off", "50%"),
        ):
            found, _ = find_by_words(read_query(query), everything(), 10)
            assert [an_id for an_id, _ in found][:1] == [ids[text]]

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ('"the who" played', ["The Who played here"]),
            ('"played who" here', []),
            ('cat -"the"', ["A cat plays"]),
            ("cat -is", ["A cat plays"]),
            ('"a cat"', ["A cat plays"]),
            ('"the cat is"', ["The cat is called Minou"]),
            ('"cat played"', ["A cat plays"]),  # no stop word: by its stems, as ever
        ],
    )
    def test_stop_words_count_in_phrases_and_exclusions(self, query, expected):
        texts = ["The Who played here", "The cat is called Minou", "A cat plays"]
        ids = {store(text): text for text in texts}
        found, _ = find_by_words(read_query(query), everything(), 10)
        assert [ids[an_id] for an_id, _ in found] == expected

    def test_words_beyond_the_most_that_are_looked_up_are_left_out(self):
        an_id = store("word0")
        store(f"word{MAX_LEXEMES + 5}")
        query = " ".join(f"word{number}" for number in range(MAX_LEXEMES + 10))
        [(found, share)], total = find_by_words(read_query(query), everything(), 10)
        assert (found, total) == (an_id, 1)
        assert 0 < share < 1

    def test_rarity_is_the_owners_and_no_filter_changes_it(self):
        for number in range(5):
            store(f"tea {number}", memory_type="a")
        both = store("tea harbour", memory_type="b")
        owner = owners_of_sessions([SESSION])[SESSION]
        query = read_query("tea harbour garden")
        whole, _ = find_by_words(query, Filter(Scope.USER, SESSION, owner), 10)
        narrow, _ = find_by_words(
            query, Filter(Scope.USER, SESSION, owner, memory_types=("b",)), 10
        )
        assert narrow == [(both, dict(whole)[both])]

    def test_a_short_text_goes_before_a_long_one_and_equals_by_their_ids(self):
        long = store("tea " + " ".join(f"filler{number}" for number in range(50)))
        short = sorted(store("tea") for _ in range(3))
        found, total = find_by_words(read_query("tea"), everything(), 10)
        assert [an_id for an_id, _ in found] == [*short, long]
        assert total == 4
