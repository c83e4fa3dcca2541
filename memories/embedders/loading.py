"""From a setting's word to an embedder. Called once, at the start; EmbedderLoadError stops it."""

from pathlib import Path

from memories.embedders.base import Embedder
from memories.embedders.errors import EmbedderLoadError
from memories.embedders.given import GivenEmbedder
from memories.embedders.hashing import HashingEmbedder
from memories.embedders.options import EmbedderOptions

KINDS = ("minilm", "e5", "openai", "given", "hashing")


def load_embedder(kind: str, data_dir: Path, options: EmbedderOptions | None = None) -> Embedder:
    """`kind` is one of KINDS; `none` means `given`. `data_dir`/models keeps what is made from a
    model at its first start. Raises EmbedderLoadError with one sentence that says what to do."""
    try:
        return _load(kind, data_dir, options or EmbedderOptions())
    except ImportError as error:
        raise EmbedderLoadError(
            f"The embedder {kind} needs the package {error.name}; run: pip install {error.name}"
        ) from error


def _load(kind: str, data_dir: Path, options: EmbedderOptions) -> Embedder:
    # Imported only when chosen: onnxruntime alone costs 40 MB and a fifth of a second.
    match kind:
        case "minilm":
            from memories.embedders.minilm import load_minilm

            return load_minilm(data_dir, options.threads, options.max_parts)
        case "e5":
            from memories.embedders.e5 import load_e5

            return load_e5(options.threads, options.max_parts)
        case "openai":
            from memories.embedders.openai import load_openai

            return load_openai(options.openai, options.max_parts)
        case "given" | "none":
            return GivenEmbedder(options.dimension) if options.dimension else GivenEmbedder()
        case "hashing":
            return HashingEmbedder(options.dimension) if options.dimension else HashingEmbedder()
    raise EmbedderLoadError(f"There is no embedder {kind!r}; choose one of {', '.join(KINDS)}.")
