"""What can go wrong with an embedder. Services turn these into the wire's errors."""


class EmbeddingError(Exception):
    """The embedder could not make vectors."""


class EmbedderLoadError(EmbeddingError):
    """The embedder cannot start; the message is one sentence that says what to do."""


class EmbedderUnavailable(EmbeddingError):
    """The endpoint is away, hangs, is overloaded, or failed too often of late. Try later."""

    def __init__(self, message: str, retry_after_seconds: float = 0.0) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message)


class TextsRefused(EmbeddingError):
    """The endpoint refuses these texts, not its service: a smaller batch may pass."""


class InvalidAnswer(EmbeddingError):
    """What the endpoint answered is not one good vector for each text."""


class NeverEmbeds(EmbeddingError):
    """Vectors are given by the clients here; text cannot be embedded."""
