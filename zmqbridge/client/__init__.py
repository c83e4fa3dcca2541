"""The Python client of the memory orchestrator, for threads (`Client`) and asyncio (`AsyncClient`).

>>> from zmqbridge.client import Client, MemoryNotFound
>>> with Client(endpoint, session_id="kitchen") as client:
...     stored = client.create("The cat is called Minou.", tags=["pets"])
...     memory = client.read(stored.memory_id)
...     print(memory.text, memory.tags)
...     found = client.search("What is the cat called?", limit=3)
...     print([result.text for result in found.results])
The cat is called Minou. ['pets']
['The cat is called Minou.']

The same methods, awaited:

>>> import asyncio
>>> from zmqbridge.client import AsyncClient
>>> async def remember() -> list[str]:
...     async with AsyncClient(endpoint, session_id="kitchen") as client:
...         texts = ["The plumber comes on Tuesday.", "Bins go out on Monday."]
...         await asyncio.gather(*(client.create(text) for text in texts))
...         page = await client.batch_read(sort_by="created_at", order="asc")
...         return [memory.text for memory in page.memories]
>>> asyncio.run(remember())
['The cat is called Minou.', 'The plumber comes on Tuesday.', 'Bins go out on Monday.']

A call ends within `timeout_seconds`, with its result or one error of the tree in `errors`. Until
then it is sent again where the reply is lost, the connection breaks, the orchestrator is busy or
its database is away: always the same bytes, so that a change is carried out once.

>>> with Client(endpoint, timeout_seconds=2.0) as client:
...     try:
...         client.read("mem-none", timeout_seconds=0.5)
...     except MemoryNotFound as error:
...         print(error.code)
memory_not_found
"""

from zmqbridge.client.calls import Call, Options, SessionOptions
from zmqbridge.client.clients import DEFAULT_ENDPOINT, AsyncClient, Client
from zmqbridge.client.errors import (
    BadReply,
    ClientBusy,
    ClientClosed,
    ClientError,
    ClientForked,
    InternalFailed,
    InvalidRequest,
    MemoryNotFound,
    PermissionDenied,
    RateLimited,
    RequestFailed,
    SearchFailed,
    SessionNotFound,
    StorageFailed,
    TimedOut,
    Unreachable,
    UnusableArgument,
    ValidationFailed,
)
from zmqbridge.client.memory_actions import NewMemory
from zmqbridge.client.results import (
    AgentState,
    BatchStored,
    BulkDeleted,
    Context,
    Deleted,
    EndedSession,
    Found,
    Health,
    History,
    Memory,
    OpenedSession,
    Page,
    PageInfo,
    Profile,
    Related,
    RelatedMemory,
    Relationship,
    Removed,
    Restored,
    RestoredOperation,
    Revision,
    SearchMetadata,
    SearchResults,
    Session,
    Sessions,
    Stored,
    Summary,
    TimeRange,
    Updated,
)

__all__ = [
    "DEFAULT_ENDPOINT",
    "AgentState",
    "AsyncClient",
    "BadReply",
    "BatchStored",
    "BulkDeleted",
    "Call",
    "Client",
    "ClientBusy",
    "ClientClosed",
    "ClientError",
    "ClientForked",
    "Context",
    "Deleted",
    "EndedSession",
    "Found",
    "Health",
    "History",
    "InternalFailed",
    "InvalidRequest",
    "Memory",
    "MemoryNotFound",
    "NewMemory",
    "OpenedSession",
    "Options",
    "Page",
    "PageInfo",
    "PermissionDenied",
    "Profile",
    "RateLimited",
    "Related",
    "RelatedMemory",
    "Relationship",
    "Removed",
    "RequestFailed",
    "Restored",
    "RestoredOperation",
    "Revision",
    "SearchFailed",
    "SearchMetadata",
    "SearchResults",
    "Session",
    "SessionNotFound",
    "SessionOptions",
    "Sessions",
    "StorageFailed",
    "Stored",
    "Summary",
    "TimeRange",
    "TimedOut",
    "Unreachable",
    "UnusableArgument",
    "Updated",
    "ValidationFailed",
]
