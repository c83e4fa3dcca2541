"""Action -> handler: what each action of the protocol asks of the core, a few lines each."""

from zmqbridge.handlers import context, creating, keeping, reading, relating, sessions, writing
from zmqbridge.handlers.base import Ask, Changed, Handler, LaneName

HANDLERS: dict[str, Handler] = (
    creating.HANDLERS
    | writing.HANDLERS
    | reading.HANDLERS
    | sessions.HANDLERS
    | relating.HANDLERS
    | context.HANDLERS
    | keeping.HANDLERS
)

__all__ = ["HANDLERS", "Ask", "Changed", "Handler", "LaneName"]
