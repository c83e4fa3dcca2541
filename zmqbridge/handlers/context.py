"""The action that fills a prompt."""

from dataclasses import replace

from memories.services import context
from memories.services.context import Context, ContextAsk
from memories.services.filters import Filter, Scope
from zmqbridge import payloads
from zmqbridge.handlers.base import About, Ask, Handler, LaneName, one_by_one
from zmqbridge.handlers.filtering import with_owners
from zmqbridge.handlers.reading import MAX_PAGE_BYTES


def _prepare(ask: Ask) -> ContextAsk:
    payload: payloads.ContextPayload = ask.payload
    return ContextAsk(
        session=Filter(Scope.SESSION, ask.request.session_id),
        query=payload.query or "",
        max_tokens=payload.max_tokens or context.DEFAULT_TOKENS,
        recent=context.DEFAULT_RECENT if payload.recent is None else payload.recent,
        max_bytes=MAX_PAGE_BYTES,
    )


def _context(item: ContextAsk) -> Context:
    return context.build_context(replace(item, session=with_owners([item.session])[0]))


def _about_memories(_: Ask, result: Context) -> About:
    return About([memory.memory_id for memory in result.memories])


HANDLERS = {
    "context": Handler(
        payload=payloads.ContextPayload,
        prepare=_prepare,
        serve=one_by_one(_context),
        about=_about_memories,
        lane=LaneName.SEARCH,
    ),
}
