"""The admin: a file a screen. Django imports this; `make_admin` makes the first account.

A screen of a table is an `InspectionAdmin` (inspection.py), imported here. Any other page is an
`AdminPage` (pages.py), named in urls.py. navigation.py shows both in the sidebar."""

from memories.admin import (
    access,
    accounts,
    agents,
    audit,
    backups,
    embeddings,
    imports,
    installation,
    memories,
    orchestrators,
    profiles,
    relationships,
    requests,
    retention,
    revisions,
    sessions,
)

__all__ = [
    "access",
    "accounts",
    "agents",
    "audit",
    "backups",
    "embeddings",
    "imports",
    "installation",
    "memories",
    "orchestrators",
    "profiles",
    "relationships",
    "requests",
    "retention",
    "revisions",
    "sessions",
]
