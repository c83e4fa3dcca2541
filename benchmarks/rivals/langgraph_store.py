"""LangGraph's PostgresStore. Keeps the latest value of a key and its vector; no history, no
recognition of repeats, no sessions, no search by words, no expiry to the moment."""

from langgraph.store.base import PutOp
from langgraph.store.postgres import PostgresStore
from timing import CALLERS, read_work, say, timed

address, work = read_work()
vectors = {text: vector for _, text, vector in work["memories"] + work["queries"]}


def embed(texts):
    return [vectors[text] for text in texts]


memories, queries = list(enumerate(work["memories"])), work["queries"]
half = len(memories) // 2
index = {"dims": len(queries[0][2]), "embed": embed, "fields": ["text"]}
with PostgresStore.from_conn_string(
    address, pool_config={"min_size": 2, "max_size": CALLERS}, index=index
) as store:
    store.setup()

    def put(memory):
        key, (owner, text, _) = memory
        store.put((owner,), str(key), {"text": text})

    def put_batch(batch):
        store.batch([PutOp((owner,), str(key), {"text": text}) for key, (owner, text, _) in batch])

    def get(memory):
        assert store.get((memory[1][0],), str(memory[0]))

    def search(query):
        assert store.search((query[0],), query=query[1], limit=5)

    figures = {"create": timed(put, memories[: half // 2])}
    figures["create, 16 callers"] = timed(put, memories[half // 2 : half], CALLERS)
    batches = [memories[start : start + 50] for start in range(half, len(memories), 50)]
    batched = timed(put_batch, batches)
    figures["create in batches of 50"] = batched | {"rate": batched["rate"] * 50}
    figures["read"] = timed(get, memories)
    figures["read, 16 callers"] = timed(get, memories, CALLERS)
    figures["search by meaning"] = timed(search, queries)
    figures["search by meaning, 16 callers"] = timed(search, queries, CALLERS)
say(figures)
