"""The tables, one family a file. Constraints and indexes stand here; logic does not."""

from memories.models.access import AccessLog
from memories.models.agents import AgentState
from memories.models.backups import Backup
from memories.models.embeddings import Embedding, EmbeddingModel, EmbeddingTask
from memories.models.imports import ImportReport
from memories.models.installation import Installation
from memories.models.memories import MemoryEntry
from memories.models.orchestrators import Orchestrator
from memories.models.profiles import UserProfile
from memories.models.relationships import Relationship
from memories.models.requests import RequestKey
from memories.models.retention import Erasure, RetentionPolicy
from memories.models.revisions import Revision
from memories.models.sessions import Session

__all__ = [
    "AccessLog",
    "AgentState",
    "Backup",
    "Embedding",
    "EmbeddingModel",
    "EmbeddingTask",
    "Erasure",
    "ImportReport",
    "Installation",
    "MemoryEntry",
    "Orchestrator",
    "Relationship",
    "RequestKey",
    "RetentionPolicy",
    "Revision",
    "Session",
    "UserProfile",
]
