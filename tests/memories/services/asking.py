"""Searches as tests ask them."""

from memories.embedders.errors import EmbedderUnavailable
from memories.services.filters import Filter, Scope
from memories.services.search.find import search_memories
from memories.services.search.query import Query, SearchType
from memories.services.sessions import owners_of_sessions
from tests.factories import SESSION


def filter_of(scope=Scope.USER, session_id=SESSION, **conditions):
    owner = owners_of_sessions([session_id]).get(session_id)
    return Filter(scope, session_id, owner, **conditions)


def ask(text, way=SearchType.HYBRID, *, limit=100, **options):
    """One result or error. What `Query` does not know is a condition of the filter."""
    known = {name: options.pop(name) for name in set(options) & set(Query.__slots__)}
    [result] = search_memories([Query(text, filter_of(**options), way, limit, **known)])
    return result


def ids(result):
    return [memory.memory_id for memory in result.results]


def found(text, way=SearchType.HYBRID, **options):
    return ids(ask(text, way, **options))


def fail(_):
    raise EmbedderUnavailable("The endpoint is away.")
