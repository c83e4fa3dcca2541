import Stemmer

from memories.text.languages import guess_language
from memories.text.words import FUNCTION_WORDS


def test_every_language_has_a_stemmer():
    assert set(FUNCTION_WORDS) <= set(Stemmer.algorithms())


def test_guesses_what_is_spoken():
    spoken = {
        "english": "we will go to the market with her",
        "german": "ich habe das nicht mit ihm besprochen",
        "french": "je ne suis pas avec elle dans la rue",
        "spanish": "no sé qué quiere hacer con el coche",
        "dutch": "ik heb het niet aan hem gegeven",
        "swedish": "jag vet inte vad det är för en bil",
    }
    assert {name: guess_language(text.split()) for name, text in spoken.items()} == {
        name: name for name in spoken
    }


def test_does_not_guess_from_too_little():
    assert guess_language([]) is None
    assert guess_language(["milk", "bread", "42"]) is None
