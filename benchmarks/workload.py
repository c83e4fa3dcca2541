"""What the benchmarks store and ask: believable talk of a household, and prepared requests.

The same seed gives the same text. Called by scenarios and by the loader.
"""

import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import count
from random import Random
from typing import Any

import msgspec

from benchmarks.driver import Prepared


def _words(text: str) -> list[str]:
    return [word.replace("-", " ") for word in text.split()]


_PEOPLE = _words("""
Anna Boris Carla Deniz Emil Farah Greta Hugo Ines Jonas Katrin Leo Mira Nils Olga Paul Quentin
Rosa Samir Tilda Ugo Vera Willem Xenia Yusuf Zoë""")
_PLACES = _words("""
kitchen garden garage attic cellar library station harbour bakery pharmacy school office market
museum theatre pool hospital airport workshop balcony""")
_THINGS = _words("""
bicycle umbrella passport violin ladder kettle lamp suitcase novel camera tent drill blanket
charger keyring teapot scarf helmet printer cactus telescope recipe puzzle backpack thermostat
dishwasher curtain mirror radio notebook""")
_FOODS = _words("""
lentil-soup mushroom-risotto rye-bread apple-cake pea-stew potato-salad oat-porridge tomato-pasta
carrot-curry plum-jam spinach-pie buckwheat-pancakes""")
_DAYS = _words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
_MOODS = _words("gladly reluctantly quickly quietly finally perhaps certainly hardly")
_TEMPLATES = (
    "{person} left the {thing} in the {place} on {day}",
    "please remind me at {hour} to bring the {thing} to {person}",
    "I would like {food} for dinner when {person} is here on {day}",
    "the appointment at the {place} was moved from {day} to {day2} at {hour}",
    "{person} is allergic to peanuts, so no {food} without asking first",
    "turn the light in the {place} down after {hour}, {person} sleeps early",
    "my favourite {thing} is the green one that {person} gave me years ago",
    "what did {person} say about the {thing} last {day}?",
    "we {mood} agreed that {person} takes the {thing} along to the {place}",
    "the {thing} costs {number} euros, which {person} finds too much",
    "play something calm while I cook {food}",
    "order {number} more of those from the {place}, and write it on the list",
    "{person} works at the {place} now and comes home at {hour}",
    "the code of the {place} door is {number}, but tell nobody except {person}",
    "{mood}, I said, we could repaint the {place} before {day}",
    "how long does {food} have to stay in the oven?",
)
_TYPES = ("conversation", "conversation", "conversation", "user_preference", "context", "entity")
_TAGS = ("family", "food", "calendar", "music", "home", "travel", "health", "work", "school")
_GOES_ON = 0.45  # the chance that one sentence follows another
LARGE_USER = "bench-large"  # the one owner of many memories


class Talk:
    """Texts, contents and queries by chance, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def sentence(self) -> str:
        choose = self._random.choice
        sentence = choose(_TEMPLATES).format(
            person=choose(_PEOPLE),
            place=choose(_PLACES),
            thing=choose(_THINGS),
            food=choose(_FOODS),
            day=choose(_DAYS),
            day2=choose(_DAYS),
            mood=choose(_MOODS),
            hour=f"{self._random.randint(6, 22)}:{choose(('00', '15', '30', '45'))}",
            number=self._random.randint(2, 9999),
        )
        return f"{sentence[0].upper()}{sentence[1:]}{'' if sentence.endswith('?') else '.'}"

    def text(self) -> str:
        """One sentence or some more: 30 to some 600 characters, 120 on average."""
        sentences = [self.sentence()]
        while self._random.random() < _GOES_ON and len(sentences) < 8:
            sentences.append(self.sentence())
        return " ".join(sentences)

    def query(self) -> str:
        choose = self._random.choice
        return choose(
            (
                f"Where did {choose(_PEOPLE)} leave the {choose(_THINGS)}?",
                f"When is the appointment at the {choose(_PLACES)}?",
                f"What does {choose(_PEOPLE)} like to eat on {choose(_DAYS)}?",
                f"Who takes the {choose(_THINGS)} to the {choose(_PLACES)}?",
                f"How much does the {choose(_THINGS)} cost that {choose(_PEOPLE)} wanted?",
            )
        )

    def memory(self) -> dict[str, Any]:
        """The payload of a create."""
        return {
            "memory_type": self._random.choice(_TYPES),
            "content": {
                "text": self.text(),
                "speaker": self._random.choice(_PEOPLE),
                "source_agent": "voice",
                "confidence": round(self._random.random(), 3),
            },
            "tags": self._random.sample(_TAGS, self._random.randint(0, 3)),
            "priority": self._random.randint(1, 10),
        }


class Requests:
    """Makes requests whose ids no other run has used."""

    def __init__(self) -> None:
        self._run = secrets.token_hex(8)
        self._numbers = count()

    def make(
        self, action: str, payload: Mapping[str, Any], session_id: str = "", kind: str = ""
    ) -> Prepared:
        request_id = f"{self._run}-{next(self._numbers):08d}"
        body = msgspec.json.encode(
            {
                "action": action,
                "request_id": request_id,
                "session_id": session_id,
                "payload": payload,
                "timestamp": datetime.now(UTC),
            }
        )
        return Prepared(request_id, kind or action, body)

    def creates(self, talk: Talk, count: int, sessions: Iterable[str]) -> list[Prepared]:
        names = list(sessions)
        return [
            self.make("create", talk.memory(), names[place % len(names)]) for place in range(count)
        ]

    def by_id(
        self, action: str, memory_ids: Iterable[str], session_id: str, **payload: Any
    ) -> list[Prepared]:
        return [
            self.make(action, {"memory_id": memory_id, **payload}, session_id)
            for memory_id in memory_ids
        ]
