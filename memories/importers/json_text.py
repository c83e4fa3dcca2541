"""Reads a large JSON text piece by piece: only the value that is looked at is in memory."""

import json
from collections.abc import Iterator
from typing import TextIO

_CHUNK_CHARACTERS = 1 << 16
_VALUE_MAX_CHARACTERS = 256 << 20
# Text that may just be cut by the end of the buffer, such as `tru` or `\u12`.
_CUT_CHARACTERS = 32
_SPACE = " \t\n\r"


class BadJson(Exception):
    """The text is no JSON; says where and why."""


class JsonText:
    """A cursor. Each method begins where the one before ended."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._buffer = ""
        self._at = 0
        self._before = 0  # characters that have left the buffer
        self._is_whole = False
        self._decoder = json.JSONDecoder()

    def peek(self) -> str:
        """The next character that is no space; "" at the end."""
        while True:
            while self._at < len(self._buffer):
                if self._buffer[self._at] not in _SPACE:
                    return self._buffer[self._at]
                self._at += 1
            if not self._more(_CHUNK_CHARACTERS):
                return ""

    def members(self) -> Iterator[str]:
        """The keys of an object; whoever takes one reads its value before the next."""
        for _ in self._parts("{", "}"):
            if self.peek() != '"':
                raise self._bad("a name in quotes is expected")
            key: str = json.loads(self.value())
            self._take(":")
            yield key

    def elements(self) -> Iterator[None]:
        """Stands before each element of a list in turn; whoever takes it reads it."""
        yield from self._parts("[", "]")

    def value(self) -> str:
        """The text of the next value, as it stands."""
        self.peek()
        wanted = _CHUNK_CHARACTERS
        while True:
            try:
                _, end = self._decoder.raw_decode(self._buffer, self._at)
            except RecursionError:
                raise self._bad("it is nested too deeply") from None
            except json.JSONDecodeError as error:
                if not self._may_be_cut(error):
                    raise self._bad(error.msg, error.pos) from None
                if not self._more(wanted):
                    raise self._cut() from None
            else:
                # A number may go on after as much as `e-`.
                if end + 2 < len(self._buffer) or not self._more(wanted):
                    text = self._buffer[self._at : end]
                    self._at = end
                    return text
            wanted *= 2
            if len(self._buffer) > _VALUE_MAX_CHARACTERS:
                raise self._bad("a value is too large")

    def end(self) -> None:
        if self.peek():
            raise self._bad("there is more after the end")

    def _parts(self, opening: str, closing: str) -> Iterator[None]:
        self._take(opening)
        if self.peek() == closing:
            self._at += 1
            return
        while True:
            yield
            if self.peek() == closing:
                self._at += 1
                return
            self._take(",")

    def _take(self, character: str) -> None:
        found = self.peek()
        if not found:
            raise self._cut()
        if found != character:
            raise self._bad(f"{character} is expected")
        self._at += 1

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        return (
            error.msg.startswith("Unterminated string")
            or error.pos >= len(self._buffer) - _CUT_CHARACTERS
        )

    def _more(self, characters: int) -> bool:
        """Whether there was more to read."""
        if self._is_whole:
            return False
        read = self._file.read(characters)
        if not read:
            self._is_whole = True  # and everything stays where it is
            return False
        self._before += self._at
        self._buffer = self._buffer[self._at :] + read
        self._at = 0
        return True

    def _cut(self) -> BadJson:
        return BadJson(f"it ends in the middle, at character {self._before + len(self._buffer)}")

    def _bad(self, why: str, at: int | None = None) -> BadJson:
        place = self._before + (self._at if at is None else at)
        return BadJson(f"{why}, at character {place}")
