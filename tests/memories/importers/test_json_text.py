"""The cursor gives what json.loads gives, wherever the pieces of the text begin and end."""

import io
import json

import pytest

from memories.importers import json_text
from memories.importers.json_text import BadJson, JsonText

TEXT = (
    '\n {"a": [1, -2.5e3, "x\\"y\\u00e9\\ud83d\\ude00", [], {}, true],'
    ' "\\u0062 c": {"d": [null, [[0]]]}, "e": "tail" , "f": 12345678901234567890} \n'
)


@pytest.fixture(params=[1, 2, 3, 7, 64, 1 << 16])
def chunk(request, monkeypatch):
    monkeypatch.setattr(json_text, "_CHUNK_CHARACTERS", request.param)


def read(text):
    cursor = JsonText(io.StringIO(text))
    found = {}
    for key in cursor.members():
        if cursor.peek() == "[":
            found[key] = [json.loads(cursor.value()) for _ in cursor.elements()]
        else:
            found[key] = json.loads(cursor.value())
    cursor.end()
    return found


def test_it_reads_what_json_reads(chunk):
    assert read(TEXT) == json.loads(TEXT)


def test_a_text_that_is_cut_anywhere_is_noticed(chunk):
    whole = TEXT.strip()
    for end in range(1, len(whole)):
        with pytest.raises(BadJson):
            read(whole[:end])


@pytest.mark.parametrize("bad", ['{"a" 1}', "{a: 1}", '{"a": [1 2]}', '{"a": tru}', '{"a": 1,}'])
def test_what_is_no_json_is_noticed(chunk, bad):
    with pytest.raises(BadJson):
        read(bad)


def test_a_fault_in_a_large_text_is_found_without_reading_it_all():
    class Endless(io.StringIO):
        def read(self, size=-1):
            return super().read(size) or " " * size

    with pytest.raises(BadJson, match="at character 6"):
        read_from = JsonText(Endless('{"a": x'))
        for _ in read_from.members():
            read_from.value()
