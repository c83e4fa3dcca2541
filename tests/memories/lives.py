"""An owner with something of everything, to be erased or exported."""

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from memories.models import MemoryEntry, Session, UserProfile
from memories.services.access import Access, log_accesses
from tests.embedders import embed_all


def live(wire, user, session):
    """Something of everything, said by `user` in a session of this id."""
    if user:
        wire.data("create_session", {"user_id": user}, session_id=session)
        wire.data("update_profile", {"user_id": user, "preferences": {"t": user}}, session_id="x")
    first, second, deleted = (wire.create(f"{session} {number}", session) for number in range(3))
    embed_all()
    content = {"content": {"text": "changed"}}
    wire.data("update", {"memory_id": first} | content, session_id="of-another-session")
    tie = {"source_id": first, "target_id": second, "relationship_type": "knows"}
    wire.data("relate", tie, session_id="of-another-session")
    wire.data("delete", {"memory_id": deleted}, session_id=session)
    wire.data("set_state", {"agent_id": "a", "state": {"s": 1}}, session_id=session)
    wire.create(f"{session} waits for its vector", session)
    log_accesses({Access(first, "", "read", timezone.now().date()): 1}, timezone.now())
    admin, _ = User.objects.get_or_create(username="admin")
    shown = [(MemoryEntry, first), (Session, session)] + ([(UserProfile, user)] if user else [])
    for model, an_id in shown:
        kind = ContentType.objects.get_for_model(model).pk
        LogEntry.objects.create(
            user=admin, content_type_id=kind, object_id=an_id, object_repr="it", action_flag=CHANGE
        )
