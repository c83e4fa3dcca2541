"""The words that this package knows, from words.toml. Read once, at import."""

import tomllib
from pathlib import Path

_TABLES = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))

FILLERS = frozenset(_TABLES["fillers"].split())
TELLING_BEGINNINGS = tuple(_TABLES["telling"].split())
FUNCTION_WORDS = {
    language: frozenset(words.split()) for language, words in _TABLES["function_words"].items()
}
NEVER_FINAL, BEFORE_NUMBERS, SOMETIMES_FINAL, AFTER_ORDINALS = (
    frozenset(_TABLES["abbreviations"][kind].split())
    for kind in ("never_final", "before_numbers", "sometimes_final", "after_ordinals")
)
