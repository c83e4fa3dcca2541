"""A query taken apart, and the SQL by which all who search speak of it. Made by search."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from memories.embedders.base import Vectors
from memories.services.embedding.tasks import vector_text
from memories.services.filters import FILTER_COLUMNS, Filter, Scope, conditions_sql, filter_json
from memories.services.search.lexical import must_sql
from memories.services.search.query_vectors import AwaitVector
from memories.services.search.statistics import Statistics, statistics_of
from memories.services.search.vectors import Sample, no_sample, sample_of

# The filter as a row `q`. Parameter: filter.
FILTER_CTE = f"q AS (SELECT * FROM jsonb_to_record(%(filter)s::jsonb) AS q ({FILTER_COLUMNS}))"

# Microseconds since the epoch of a memory `m`, and whether it ends in a question mark.
CREATED_US = "(extract(epoch FROM m.created_at) * 1000000)::bigint"
ASKS = "right(rtrim(m.text), 1) IN ('?', U&'\\FF1F', U&'\\061F')"


@dataclass(frozen=True)
class Ask:
    """A query taken apart: its text, its words, what must be there (`must`), its unit vector of
    shape (dimension,), which is waited for when it is first needed. `centred`: vectors are compared
    without what all of the owner's have in common."""

    text: str
    words: str
    must: str
    await_vector: AwaitVector
    dimension: int
    filter: Filter
    model_id: int
    centred: bool = True

    @cached_property
    def vector(self) -> Vectors:
        """Raises EmbeddingError."""
        return self.await_vector()

    @cached_property
    def statistics(self) -> Statistics:
        return statistics_of(self.filter.searched_owner())

    @cached_property
    def sample(self) -> Sample:
        if not self.centred:
            return no_sample(self.dimension)
        return sample_of(self.filter.searched_owner(), self.model_id, self.dimension)

    def owned(self) -> bool:
        return self.filter.scope is not Scope.ALL

    def is_plain(self) -> bool:
        """Whether it looks at all that an owner has."""
        return self.filter.shape() == ("alive", "owner") and not self.must

    def conditions(self) -> str:
        conditions = conditions_sql(self.filter.shape())
        return f"{conditions} AND {must_sql()}" if self.must else conditions

    @property
    def asked(self) -> dict[str, Any]:
        """Parameters: what is looked for, and where."""
        return {
            "words": self.words,
            "must": self.must,
            "owner": self.filter.owner_id,
            "filter": filter_json(self.filter),
        }

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The same, and what it is compared with."""
        # The direction orders as centred cosines do, nearly, and an index can follow it.
        direction = self.vector - np.float32(0.75) * self.sample.mean
        return self.asked | {
            "memory_count": self.statistics.memory_count,
            "average_words": self.statistics.average_words,
            "model": self.model_id,
            "query": vector_text(self.vector),
            "mean": vector_text(self.sample.mean),
            "direction": vector_text(direction),
        }
