"""`manage.py import_sqlite`: another name of `import_memories`."""

from memories.management.commands.import_memories import Command

__all__ = ["Command"]
