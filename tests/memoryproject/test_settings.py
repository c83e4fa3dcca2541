"""What the settings make of the environment's words."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from memories.services.search.weights import Weights
from memoryproject import settings


class TestWeights:
    def read(self, monkeypatch, text):
        monkeypatch.setenv("SEARCH_WEIGHTS", text)
        return settings._weights()

    @pytest.mark.parametrize("text", ["recency=0.1,priority=0", " recency = .1 , priority=0, "])
    def test_those_that_are_named_differ(self, monkeypatch, text):
        assert self.read(monkeypatch, text) == Weights(recency=0.1, priority=0)

    def test_none_named_are_the_usual_ones(self, monkeypatch):
        assert self.read(monkeypatch, "") == Weights()

    @pytest.mark.parametrize(
        ("text", "wrong"),
        [
            ("recency=abc", r"recency the weight 'abc'"),
            ("vector=nan", r"vector the weight 'nan'"),
            ("vector=-inf", r"vector the weight '-inf'"),
            ("lexical=0.4,vector", r"vector the weight ''"),
            ("priority=0,colour=1", r"names 'colour'.* vector, lexical,"),
            ("recency=0.1;priority=0", r"recency the weight '0.1;priority=0'"),
        ],
    )
    def test_what_is_wrong_is_told_in_a_sentence(self, monkeypatch, text, wrong):
        with pytest.raises(ImproperlyConfigured, match=f"^SEARCH_WEIGHTS .*{wrong}.*\\.$"):
            self.read(monkeypatch, text)


class TestNumbers:
    def read(self, monkeypatch, text, **options):
        monkeypatch.setenv("A_NUMBER", text)
        return settings._number("A_NUMBER", 1, 0, 5000, **options)

    @pytest.mark.parametrize(("text", "value"), [("1e3", 1000), (" 0.5 ", 0.5), ("7", 7)])
    def test_they_are_read_as_they_are_written(self, monkeypatch, text, value):
        assert self.read(monkeypatch, text) == value

    @pytest.mark.parametrize("text", ["5m", "1,5", "", "0x10"])
    def test_what_is_none_is_refused(self, monkeypatch, text):
        with pytest.raises(ImproperlyConfigured, match=r"A_NUMBER is '.*', which is not a number"):
            self.read(monkeypatch, text)

    @pytest.mark.parametrize("text", ["nan", "inf", "-1", "5001"])
    def test_what_is_out_of_range_is_refused(self, monkeypatch, text):
        with pytest.raises(ImproperlyConfigured, match="must be from 0 to 5000"):
            self.read(monkeypatch, text)


def test_a_list_may_have_blanks_behind_its_commas(monkeypatch):
    monkeypatch.setenv("A_LIST", "one, two ,,three")
    assert settings._list("A_LIST", "") == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("postgresql://me:word@%2Fvar%2Frun%2FPostgres/memories", "/var/run/Postgres"),
        ("postgresql://me@/memories?host=/var/run/Postgres", "/var/run/Postgres"),
        ("postgresql://me@db.example:5433/memories", "db.example"),
    ],
)
def test_a_database_may_be_reached_by_the_folder_of_its_socket(monkeypatch, url, host):
    monkeypatch.setenv("DATABASE_URL", url)
    database = settings._named_database()
    assert (database["OPTIONS"].get("host") or database["HOST"]) == host
