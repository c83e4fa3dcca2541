# ruff: noqa: RUF001 (texts in many scripts)
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memories.text.sentences import split_sentences

CASES = {
    "title": "Dr. Smith paid 3.50 dollars. | He left.",
    "hour": "He comes at 5 p.m. on Monday. | Then we eat.",
    "country": "We met in the U.S. | He said so.",
    "company": "He works at Acme Inc. and Foo Ltd. | They are big.",
    "initials": "J. K. Rowling wrote it. | I read it.",
    "number word": "It is No. 3 on the list. | No. | I won't.",
    "address": "See example.com for v1.2.3. | Good.",
    "ellipsis inside": "Then... nothing came. | Well… | Yes.",
    "many marks": "Wow!!! | Really?! | Yes.",
    "quotes": 'He asked "Really?" and left. | "Yes!" she said.',
    "quoted end": 'He said "Go home." | Then he left.',
    "brackets": "(He left.) | She stayed.",
    "no capitals": "ok. | call me at 7. | bring milk",
    "no capitals, abbreviated": "she comes at 5 p.m. on monday. | we buy milk etc. and go",
    "emoji": "Hello 😀 I am here. | 😀 Bye.",
    "german": "Das ist z.B. gut. | Am 3. Mai kommt Dr. Meier um ca. 15 Uhr. | Bis bald.",
    "german number at the end": "Wir sind in Zimmer 5. | Das ist gut.",
    "german money": "Es kostet 3.000,50 Euro inkl. Versand usw. | Ende.",
    "french": "M. Dupont arrive à 5 h. | Mme Curie reste. | Vient-elle ? | Oui !",
    "spanish": "¿Qué tal? | ¡Muy bien! | El Sr. Pérez llega a las 5. | Adiós.",
    "russian": "Он живёт на ул. Ленина. | Как дела?",
    "hindi": "मैं घर जा रहा हूँ। | तुम कहाँ हो? | ठीक है॥ | अंत।",
    "arabic": "هل أنت هنا؟ | نعم. | أنا هنا!",
    "urdu": "یہ ٹھیک ہے۔ | شکریہ",
    "korean": "다음 문장입니다. | 끝입니다.",
}
HOSTILE = [
    ".",
    ". ",
    "a. ",
    "… ",
    "Dr. ",
    '"a. ',
    "1. ",
    '."',
    "“",
    "(",
    "\n",
    "字。",
    "!",
    "a",
    " ",
]


@pytest.mark.parametrize("marked", CASES.values(), ids=CASES.keys())
def test_a_sentence_ends_where_a_reader_ends_it(marked):
    assert split_sentences(marked.replace("| ", "")) == marked.split(" | ")


def test_chinese_and_japanese_need_no_space():
    assert split_sentences("今天下雨，明天晴。你呢？好的！") == [
        "今天下雨，明天晴。",
        "你呢？",
        "好的！",
    ]
    assert split_sentences("「はい。」そうです。") == ["「はい。」", "そうです。"]


def test_a_line_break_ends_a_sentence():
    assert split_sentences("1. Buy milk\n2. Call mum\r\n\n\u2028done") == [
        "1. Buy milk",
        "2. Call mum",
        "done",
    ]


@pytest.mark.parametrize("text", ["", " \n\t ", "\u3000"])
def test_no_text_has_no_sentences(text):
    assert split_sentences(text) == []


@settings(deadline=None)
@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from('.!?… \n")。a1A'))))
def test_nothing_is_lost_added_or_empty(text):
    sentences = split_sentences(text)
    assert all(sentences)
    assert re.sub(r"\s", "", "".join(sentences)) == re.sub(r"\s", "", text)


@pytest.mark.parametrize("unit", HOSTILE, ids=ascii)
def test_no_text_takes_more_than_linear_time(unit):
    text = unit * (200_000 // len(unit))
    started = time.process_time()
    split_sentences(text)
    assert time.process_time() - started < 5  # quadratic, it would be minutes
