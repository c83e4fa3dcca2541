"""Text for a prompt, within a budget of tokens: what was recalled, then what was said last. The
service `context` calls it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from memories.text.cutting import cut_text
from memories.text.tokens import count_tokens

RECALLED = "Recalled from earlier:"
CONVERSATION = "This conversation:"
# A line is not cut to less than this: the rest would tell nothing.
_LEAST_TOKENS = 12


@dataclass(frozen=True, slots=True)
class Remembered:
    """A memory as a prompt quotes it."""

    memory_id: str
    text: str
    speaker: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Prompt:
    """`memory_ids` are in the order of the text."""

    text: str
    memory_ids: list[str]


def write_prompt(
    latest: Sequence[Remembered], recalled: Sequence[Remembered], max_tokens: int
) -> Prompt:
    """At most `max_tokens` by `count_tokens`; "" where nothing fits.

    `latest`: the last turns of the conversation, oldest first; `recalled`: best first. The turns
    get half of the budget, what was recalled the rest, and the turns what is then left. Nothing is
    quoted twice: a turn that was recalled, since its own place was beyond the half, stays there.
    """
    said = _Section(CONVERSATION, latest[::-1], _introduce)
    found = _Section(RECALLED, recalled, _introduce_with_date)
    lines = said.fill(max_tokens // 2 if recalled else max_tokens, but_for=())
    found_lines = found.fill(max_tokens - said.cost(lines), but_for=lines)
    lines = said.fill(max_tokens - found.cost(found_lines), but_for=found_lines)[::-1]
    sections = [found.write(found_lines), said.write(lines)]
    ids = [line.memory_id for line in (*found_lines, *lines)]
    return Prompt("\n\n".join(filter(None, sections)), ids)


@dataclass(frozen=True, slots=True)
class _Line:
    """`said`: who said what, by which repeats are known. `tokens` counts the line's end too."""

    memory_id: str
    said: str
    text: str
    tokens: int


@dataclass(frozen=True, slots=True)
class _Section:
    """A heading and what may stand below it, most useful first."""

    heading: str
    candidates: Sequence[Remembered]
    introduce: Callable[[Remembered], str]

    def fill(self, max_tokens: int, but_for: Iterable[_Line]) -> list[_Line]:
        """As many lines as fit with their heading. One that is too long is cut; where there are
        others, none takes more than half."""
        left = max_tokens - _tokens(self.heading)
        most = left if len(self.candidates) == 1 else max(left // 2, _LEAST_TOKENS)
        repeats = {key for line in but_for for key in (line.memory_id, line.said)}
        lines: list[_Line] = []
        for candidate in self.candidates:
            said = _say(candidate)
            if not said or not repeats.isdisjoint((candidate.memory_id, said)):
                continue
            text = _within(self.introduce(candidate), said, min(most, left) - 1)
            if not text:
                break
            lines.append(_Line(candidate.memory_id, said, text, _tokens(text)))
            left -= lines[-1].tokens
            repeats |= {candidate.memory_id, said}
        return lines

    def cost(self, lines: Sequence[_Line]) -> int:
        return _tokens(self.heading) + sum(line.tokens for line in lines) if lines else 0

    def write(self, lines: Sequence[_Line]) -> str:
        return "\n".join([self.heading, *(line.text for line in lines)]) if lines else ""


def _tokens(line: str) -> int:
    """With the end of the line, which is a token as well."""
    return count_tokens(line) + 1


def _say(one: Remembered) -> str:
    """On one line, so that no memory can pass for a heading or for what another said."""
    text = " ".join(one.text.split())
    speaker = " ".join(one.speaker.split())
    return f"{speaker}: {text}" if text and speaker and not text.startswith(f"{speaker}:") else text


def _introduce(_: Remembered) -> str:
    return ""


def _introduce_with_date(one: Remembered) -> str:
    return f"{one.created_at.astimezone(UTC).date()}, "


def _within(introduction: str, said: str, max_tokens: int) -> str:
    """The line, cut where it is too long; "" where too little of it would be left."""
    line = introduction + said
    tokens = count_tokens(line)
    if tokens > max_tokens and max_tokens < _LEAST_TOKENS:
        return ""
    room = len(said)
    while tokens > max_tokens:
        room = room * max_tokens // tokens
        if room < 1:
            return ""
        line = introduction + cut_text(said, room)
        tokens = count_tokens(line)
    return line
