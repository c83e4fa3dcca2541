"""What the kinds of embedders can be told. The settings fill it in; imports nothing heavy."""

import hashlib
from dataclasses import dataclass, field

MAX_PARTS = 16


@dataclass(frozen=True, slots=True)
class OpenAiOptions:
    """Where the endpoint is and how long it may take. The prefixes are for models that tell
    queries and documents apart by them."""

    base_url: str
    model: str
    api_key: str = field(default="", repr=False)
    dimension: int = 0  # 0: asked from the endpoint when it is loaded
    query_prefix: str = ""
    document_prefix: str = ""
    max_tokens: int = 8000
    texts_a_request: int = 64
    attempts: int = 3
    request_timeout_seconds: float = 10.0
    query_deadline_seconds: float = 5.0  # for all attempts together
    document_deadline_seconds: float = 60.0
    failures_to_open: int = 5
    open_seconds: float = 30.0

    @property
    def name(self) -> str:
        """The model; with other prefixes it makes other vectors, and is another one."""
        if not (self.query_prefix or self.document_prefix):
            return self.model
        prefixes = f"{self.query_prefix}\0{self.document_prefix}".encode()
        return f"{self.model}+{hashlib.blake2b(prefixes, digest_size=3).hexdigest()}"


@dataclass(frozen=True, slots=True)
class EmbedderOptions:
    """What the kinds need beyond their name; each takes what concerns it."""

    threads: int = 1  # for one run of a local model
    max_parts: int = MAX_PARTS  # of one long text; what comes after is not embedded
    dimension: int | None = None  # of given and hashing
    openai: OpenAiOptions | None = None
