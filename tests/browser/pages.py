"""Every page of the admin, by name, with something on it to be seen."""

import secrets

from django.contrib.admin.utils import quote

_ADD_ROWS = """
from datetime import timedelta
from django.utils import timezone
from memories.models import Backup, ImportReport, RetentionPolicy
now = timezone.now()
findings = [
    {"table": "interactions", "found": "metadata is no JSON object", "done": "kept as text", "count": 41},
    {"table": "memories", "found": "the time is none", "done": "skipped", "count": 2},
]
ImportReport.objects.create(source="/srv/old/unified.db", began_at=now - timedelta(minutes=3),
    ended_at=now, host="assistant", path="/srv/memories/imports/20260801.jsonl", findings=findings,
    finding_count=43)
Backup.objects.create(kind="dump", made_at=now - timedelta(hours=5), host="assistant",
    path="/srv/memories/backups/20260801.dump", size_bytes=81_000_000, row_count=120_000)
RetentionPolicy.objects.create(name="old talk", older_than_days=400, created_at=now)
"""  # noqa: E501

_LISTS = {
    "memories": "memoryentry",
    "sessions": "session",
    "profiles": "userprofile",
    "relationships": "relationship",
    "agents": "agentstate",
    "revisions": "revision",
    "accesses": "accesslog",
    "answers": "requestkey",
    "imports": "importreport",
    "erasures": "erasure",
    "orchestrators": "orchestrator",
    "vectors": "embedding",
    "tasks": "embeddingtask",
    "backups": "backup",
    "policies": "retentionpolicy",
    "installation": "installation",
}
# The page of a row, by the list that it is in and the statement that finds its key.
_ROWS = {
    "session": ("session", "SELECT 'katrin-2026-08-03-morning'"),
    "relationship": ("relationship", "SELECT max(id) FROM relationships"),
    "revision": ("revision", "SELECT max(id) FROM revisions"),
    "import": ("importreport", "SELECT max(id) FROM import_reports"),
    "orchestrator": ("orchestrator", "SELECT max(instance) FROM orchestrators"),
    "vector": ("embedding", "SELECT max(id) FROM embeddings"),
    "backup": ("backup", "SELECT max(id) FROM backups"),
    "policy": ("retentionpolicy", "SELECT max(id) FROM retention_policies"),
}
_OTHERS = {
    "home": "/admin/",
    "search": "/admin/memories/memoryentry/?q=when+is+the+dentist&user=katrin",
    "users": "/admin/users/",
    "user": "/admin/users/?q=katrin",
    "trash": "/admin/trash/",
    "models": "/admin/models/",
    "log": "/admin/admin/logentry/",
    "accounts": "/admin/auth/user/",
    "groups": "/admin/auth/group/",
    "account": "/admin/auth/user/add/",
    "password": "/admin/password_change/",
    "not-found": "/admin/users/00000000-0000-0000-0000-000000000000/",
}
PAGES = [*_OTHERS, *_LISTS, *_ROWS, "memory", "map"]


def furnish(household):
    """The address of each of PAGES. What they show is stored with the first call."""
    if not hasattr(household, "addresses"):
        household.addresses = _furnish(household)
    return household.addresses


def _furnish(household):
    household.run("shell", "--verbosity=0", "--command", _ADD_ROWS)
    memory_id = _store(household)
    lists = {name: f"/admin/memories/{model}/" for name, model in _LISTS.items()}
    found = {name: (model, household.rows(sql)[0][0]) for name, (model, sql) in _ROWS.items()}
    found["memory"] = "memoryentry", memory_id
    pages = {
        name: f"/admin/memories/{model}/{quote(key)}/change/"
        for name, (model, key) in found.items()
    }
    [(owner_id,)] = household.rows("SELECT owner_id FROM sessions WHERE user_id = 'katrin' LIMIT 1")
    return _OTHERS | lists | pages | {"map": f"/admin/users/{owner_id}/map/"}


def _store(household):
    with household.client(f"practice-{secrets.token_hex(4)}") as client:
        client.create_session("zoë")
        client.update_profile("zoë", preferences={"voice": "low", "units": "metric"})
        client.set_state("assistant", {"asked": "when"})
        ids = [
            client.create(text, tags=["health"]).memory_id
            for text in (
                "The dentist is on Thursday 20 August at half past nine.",
                "Remind me of the dentist the evening before.",
                "Dr. Jung practises on Habsburgerstraße.",
            )
        ]
        client.read(ids[0])
        client.update(ids[0], content="The dentist is on Thursday 27 August at half past nine.")
        client.relate(ids[1], ids[0], "reminds of", strength=0.9)
        client.relate(ids[0], ids[2], "takes place at")
        for number in range(3):
            client.create({"text": f"Forget {number}."}, tags=["to be forgotten"])
        client.bulk_delete(tags=["to be forgotten"])
    return ids[0]
