"""The admin: inspection of every table, a file a screen. Django imports this; `make_admin` makes
the first account."""

from django.contrib import admin

from memories.admin import (
    access,
    agents,
    embeddings,
    installation,
    memories,
    orchestrators,
    profiles,
    relationships,
    requests,
    revisions,
    sessions,
)

__all__ = [
    "access",
    "agents",
    "embeddings",
    "installation",
    "memories",
    "orchestrators",
    "profiles",
    "relationships",
    "requests",
    "revisions",
    "sessions",
]

admin.site.site_header = admin.site.site_title = "Memory orchestrator"
admin.site.index_title = "What is stored"
