"""How far embedding models are filled, told at once: counted where there is little, else estimated.

Called by the admin and the doctor; the command and the switch count with `filling.progress_of`.
"""

from dataclasses import dataclass

from memories.changes import rows
from memories.models import EmbeddingModel
from memories.services.embedding.filling import count_tasks, progress_of
from memories.services.estimates import estimate_rows

COUNTED_MEMORIES = 30_000
_SAMPLED_VECTORS = 30_000


@dataclass(frozen=True, slots=True)
class Fill:
    """`vectors` of `memories`; both about, where `is_estimate`."""

    memories: int
    vectors: int
    waiting: int
    set_aside: int
    is_estimate: bool

    @property
    def percent(self) -> float:
        return min(100.0, 100 * self.vectors / self.memories) if self.memories else 100.0


def look_at_fill(model: EmbeddingModel) -> Fill:
    [(memories,)] = rows(
        """
        SELECT count(*) FROM (SELECT 1 FROM memory_entries
            WHERE deleted_at IS NULL AND text <> '' LIMIT %s) m""",
        [COUNTED_MEMORIES + 1],
    )
    if memories > COUNTED_MEMORIES:
        return _estimate(model)
    progress = progress_of(model)
    vectors = progress.memories - progress.missing
    return Fill(progress.memories, vectors, progress.waiting, progress.set_aside, False)


def _estimate(model: EmbeddingModel) -> Fill:
    percent = min(100.0, 100 * _SAMPLED_VECTORS / estimate_rows("embeddings"))
    [(sampled,)] = rows(
        f"""
        SELECT count(*) FROM embeddings TABLESAMPLE SYSTEM ({percent:.6f})
        WHERE model_id = %s""",
        [model.id],
    )
    memories = round(estimate_rows("memory_entries"))
    return Fill(memories, round(sampled * 100 / percent), *count_tasks(model), True)
