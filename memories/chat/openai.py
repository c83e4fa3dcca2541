"""One question to any endpoint that speaks OpenAI's `POST {base_url}/chat/completions`.

What the endpoint sends is not trusted: time, size and form are checked. Called by summarize.
"""

import time
from functools import cache

import httpx2
import msgspec

from memories.chat.options import ChatOptions
from memories.embedders.circuit import Circuit
from memories.embedders.errors import EmbedderUnavailable

_ANSWER_MAX_BYTES = 1 << 20


class ChatFailed(Exception):
    """The model gave no answer that can be used. The message says why."""


class _Message(msgspec.Struct):
    content: str


class _Choice(msgspec.Struct):
    message: _Message


class _Completion(msgspec.Struct):
    choices: list[_Choice]


def ask_model(options: ChatOptions, instruction: str, text: str) -> str:
    """The model's answer, stripped and not empty. One attempt, within `deadline_seconds`; after
    some failures in a row none for a while. Raises ChatFailed."""
    circuit = _circuit(options)
    try:
        circuit.admit()
    except EmbedderUnavailable:
        raise ChatFailed("It failed too often of late.") from None
    try:
        answer = _read_answer(_post(options, instruction, text))
    except ChatFailed:
        circuit.note_failure()
        raise
    circuit.note_success()
    return answer


@cache
def _circuit(options: ChatOptions) -> Circuit:
    return Circuit(options.failures_to_open, options.open_seconds)


def _post(options: ChatOptions, instruction: str, text: str) -> bytes:
    ends_at = time.monotonic() + options.deadline_seconds
    question = {
        "model": options.model,
        "messages": [
            {"role": "system", "content": instruction},
            {"role": "user", "content": text},
        ],
    }
    try:
        with (
            httpx2.Client(headers=_headers(options), timeout=options.deadline_seconds) as client,
            client.stream("POST", _url(options), json=question) as response,
        ):
            if response.status_code != 200:
                raise ChatFailed(f"It answered with HTTP {response.status_code}.")
            return _read_body(response, ends_at)
    except httpx2.TimeoutException:
        raise ChatFailed("It did not answer in time.") from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise ChatFailed(f"It cannot be reached ({type(error).__name__}).") from error


def _headers(options: ChatOptions) -> dict[str, str]:
    return {"Authorization": f"Bearer {options.api_key}"} if options.api_key else {}


def _url(options: ChatOptions) -> str:
    return f"{options.base_url.rstrip('/')}/chat/completions"


def _read_body(response: httpx2.Response, ends_at: float) -> bytes:
    """The client's timeout is for each read; one that trickles bytes would never end by it."""
    body = bytearray()
    for piece in response.iter_bytes():
        body += piece
        if len(body) > _ANSWER_MAX_BYTES:
            raise ChatFailed("Its answer is too long.")
        if time.monotonic() > ends_at:
            raise ChatFailed("It did not answer in time.")
    return bytes(body)


def _read_answer(body: bytes) -> str:
    try:
        choices = msgspec.json.decode(body, type=_Completion).choices
    except (msgspec.DecodeError, RecursionError):
        raise ChatFailed("Its answer is no chat completion.") from None
    answer = choices[0].message.content.strip() if choices else ""
    if not answer:
        raise ChatFailed("Its answer is empty.")
    return answer
