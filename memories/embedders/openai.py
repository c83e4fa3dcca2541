"""Any endpoint that speaks OpenAI's `POST {base_url}/embeddings`, near or far.

What the endpoint sends is not trusted: time, size, count, order and numbers are checked.
"""

import email.utils
import json
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import httpx2
import numpy as np
import tenacity

from memories.embedders.base import Vectors, unit_rows
from memories.embedders.circuit import Circuit
from memories.embedders.errors import (
    EmbedderLoadError,
    EmbedderUnavailable,
    EmbeddingError,
    InvalidAnswer,
    TextsRefused,
)
from memories.embedders.options import MAX_PARTS, OpenAiOptions
from memories.embedders.parts import (
    embed_in_parts,
    estimated_spans,
    first_part,
    split_text,
)

_TOKENS_A_REQUEST = 100_000
_ANSWER_MAX_BYTES = 64 * 1024 * 1024
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
_LONGEST_RETRY_AFTER_SECONDS = 86_400.0
_REFUSES_TEXTS = (400, 413, 422)


class OpenAiEmbedder:
    """Retries what may pass by itself (429, 5xx, no connection, no answer), nothing else."""

    format_version = 1
    embeds_text = True

    def __init__(self, options: OpenAiOptions, max_parts: int = MAX_PARTS) -> None:
        self.name = options.name
        self.dimension = options.dimension
        self.batch_size = options.texts_a_request
        self._options = options
        self._max_parts = max_parts
        self._circuit = Circuit(options.failures_to_open, options.open_seconds)
        self._closing = threading.Event()
        headers = {"Authorization": f"Bearer {options.api_key}"} if options.api_key else {}
        self._client = httpx2.Client(headers=headers)
        self._url = f"{options.base_url.rstrip('/')}/embeddings"

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        deadline = time.monotonic() + self._options.document_deadline_seconds
        prefix = self._options.document_prefix
        return embed_in_parts(texts, self.split, lambda parts: self._embed(parts, prefix, deadline))

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        deadline = time.monotonic() + self._options.query_deadline_seconds
        queries = [first_part(text, self._options.max_tokens, estimated_spans) for text in texts]
        return self._embed(queries, self._options.query_prefix, deadline)

    def split(self, text: str) -> list[str]:
        return split_text(text, self._options.max_tokens, estimated_spans, self._max_parts)

    def close(self) -> None:
        self._closing.set()
        self._client.close()

    def ask_dimension(self) -> None:
        """Sets the dimension to what the endpoint's model has. Raises EmbeddingError."""
        self.dimension = self.embed_queries(["dimension"]).shape[1]

    def _embed(self, texts: list[str], prefix: str, deadline: float) -> Vectors:
        batches = _batches([prefix + text for text in texts], self._options.texts_a_request)
        rows = [self._embed_batch(batch, deadline) for batch in batches]
        return np.concatenate(rows) if rows else np.empty((0, self.dimension), np.float32)

    def _embed_batch(self, texts: list[str], deadline: float) -> Vectors:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_Passing),
            stop=tenacity.stop_any(
                tenacity.stop_after_attempt(self._options.attempts),
                tenacity.stop_before_delay(max(0.0, deadline - time.monotonic())),
                tenacity.stop_when_event_set(self._closing),
            ),
            wait=_pause_seconds,
            sleep=tenacity.sleep_using_event(self._closing),
            reraise=True,
        )
        vectors: Vectors = retrying(self._try_once, texts, deadline)
        return vectors

    def _try_once(self, texts: list[str], deadline: float) -> Vectors:
        """One request, reported to the circuit."""
        self._circuit.admit()
        try:
            body = self._post({"model": self._options.model, "input": texts}, deadline)
            vectors = _read_vectors(body, len(texts), self.dimension)
        except TextsRefused:
            self._circuit.note_success()
            raise
        except EmbeddingError:
            self._circuit.note_failure()
            raise
        self._circuit.note_success()
        return vectors

    def _post(self, payload: dict[str, Any], deadline: float) -> bytes:
        ends_at = min(deadline, time.monotonic() + self._options.request_timeout_seconds)
        timeout = max(0.001, ends_at - time.monotonic())
        try:
            with self._client.stream("POST", self._url, json=payload, timeout=timeout) as response:
                _refuse_bad_status(response)
                return _read_body(response, ends_at)
        except httpx2.TimeoutException:
            raise _Passing("The embedding endpoint did not answer in time.") from None
        except httpx2.HTTPError as error:
            raise _Passing(
                f"The embedding endpoint cannot be reached ({type(error).__name__})."
            ) from error


class _Passing(EmbedderUnavailable):
    """A failure that the next attempt may not meet."""


def load_openai(options: OpenAiOptions | None, max_parts: int) -> OpenAiEmbedder:
    """Raises EmbedderLoadError; asks the endpoint only where no dimension is set."""
    if options is None or not options.model:
        raise EmbedderLoadError("The embedder openai needs a base URL and a model.")
    _check_address(options)
    embedder = OpenAiEmbedder(options, max_parts)
    if embedder.dimension == 0:
        try:
            embedder.ask_dimension()
        except EmbeddingError as error:
            embedder.close()
            raise EmbedderLoadError(
                f"The embedder openai cannot learn the dimension of {options.model}: {error} "
                "Set EMBEDDING_DIMENSION, or make the endpoint answer."
            ) from error
    return embedder


def _check_address(options: OpenAiOptions) -> None:
    try:
        url = httpx2.URL(options.base_url)
        usable = url.scheme in ("http", "https") and bool(url.host)
    except httpx2.InvalidURL:
        usable = False
    if not usable:
        raise EmbedderLoadError(
            "The embedder openai needs a base URL such as https://host/v1, "
            f"not {options.base_url!r}."
        )
    if not (options.api_key.isascii() and options.api_key.isprintable()):
        raise EmbedderLoadError("The key of the embedder openai holds what no header can carry.")


def _batches(texts: list[str], largest: int) -> Iterator[list[str]]:
    batch: list[str] = []
    tokens_in_batch = 0
    for text in texts:
        tokens = len(estimated_spans(text))
        if batch and (len(batch) >= largest or tokens_in_batch + tokens > _TOKENS_A_REQUEST):
            yield batch
            batch, tokens_in_batch = [], 0
        batch.append(text)
        tokens_in_batch += tokens
    if batch:
        yield batch


def _pause_seconds(state: tenacity.RetryCallState) -> float:
    """Longer with each attempt, spread by chance, and never below what the endpoint asked for."""
    grown = tenacity.wait_exponential_jitter(
        multiplier=_FIRST_PAUSE_SECONDS, max=_LONGEST_PAUSE_SECONDS, jitter=_FIRST_PAUSE_SECONDS
    )(state)
    failure = state.outcome.exception() if state.outcome else None
    asked_for = failure.retry_after_seconds if isinstance(failure, EmbedderUnavailable) else 0.0
    return max(grown, asked_for)


def _refuse_bad_status(response: httpx2.Response) -> None:
    status = response.status_code
    if status == 200:
        return
    if status == 429 or status >= 500:
        raise _Passing(
            f"The embedding endpoint answered with HTTP {status}.",
            retry_after_seconds=_retry_after_seconds(response.headers.get("retry-after", "")),
        )
    if status in _REFUSES_TEXTS:
        raise TextsRefused(f"The embedding endpoint refused the texts with HTTP {status}.")
    raise InvalidAnswer(
        f"The embedding endpoint answered with HTTP {status}: check its URL, model and key."
    )


def _retry_after_seconds(header: str) -> float:
    """The header's whole seconds, or the seconds until its date; 0 for what is neither."""
    if header.isdecimal():
        return min(float(header), _LONGEST_RETRY_AFTER_SECONDS)
    try:
        date = email.utils.parsedate_to_datetime(header)
    except ValueError:
        return 0.0
    return min(max(0.0, date.timestamp() - time.time()), _LONGEST_RETRY_AFTER_SECONDS)


def _read_body(response: httpx2.Response, ends_at: float) -> bytes:
    """The client's timeout is for each read; one that trickles bytes would never end by it."""
    body = bytearray()
    for piece in response.iter_bytes():
        body += piece
        if len(body) > _ANSWER_MAX_BYTES:
            raise InvalidAnswer("The embedding endpoint's answer is too long.")
        if time.monotonic() > ends_at:
            raise _Passing("The embedding endpoint did not answer in time.")
    return bytes(body)


def _read_vectors(body: bytes, count: int, dimension: int) -> Vectors:
    """`dimension` 0: any, but the same for all."""
    try:
        items = json.loads(body)["data"]
        by_index = {item.get("index", at): item["embedding"] for at, item in enumerate(items)}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise InvalidAnswer("The embedding endpoint's answer holds no vectors.") from None
    if len(items) != count or by_index.keys() != set(range(count)):
        raise InvalidAnswer(
            f"The embedding endpoint answered with {len(items)} vectors for {count} texts, "
            "or numbers them wrongly."
        )
    try:
        rows = np.array([by_index[index] for index in range(count)], dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        raise InvalidAnswer("The embedding endpoint's vectors are no lists of numbers.") from None
    if rows.ndim != 2 or rows.shape[1] == 0 or dimension not in (0, rows.shape[1]):
        raise InvalidAnswer(
            f"The embedding endpoint's vectors have the shape {rows.shape}, "
            f"not {count} times {dimension or 'any'} numbers."
        )
    try:
        return unit_rows(rows)
    except ValueError as error:
        raise InvalidAnswer(f"The embedding endpoint's answer is bad: {error}.") from None
