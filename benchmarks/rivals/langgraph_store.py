"""LangGraph's PostgresStore. Keeps the latest value of a key and its vector; no history, no
recognition of repeats, no sessions, no search by words, no expiry to the moment."""

import calling
from langgraph.store.base import PutOp
from langgraph.store.postgres import PostgresStore

address, work = calling.read_work()
vectors = work.vectors()
keys = []  # of what was stored with a vector: namespace and key


def embed(texts):
    return [vectors[text] for text in texts]


index = {"dims": len(next(iter(vectors.values()))), "embed": embed, "fields": ["text"]}
pool = {"min_size": 2, "max_size": calling.CALLERS}
with PostgresStore.from_conn_string(address, pool_config=pool, index=index) as store:
    store.setup()

    def put_row(memory):
        owner, text, _ = memory
        store.put((f"row-{owner}",), text, {"text": text}, index=False)

    def put(memory):
        owner, text, _ = memory
        store.put((owner,), text, {"text": text})
        keys.append(((owner,), text))
        return keys[-1]

    def put_batch(batch):
        store.batch([PutOp((owner,), text, {"text": text}) for owner, text, _ in batch])
        keys.extend(((owner,), text) for owner, text, _ in batch)

    def get(key):
        assert store.get(*key)

    def search(query):
        assert store.search((query[0],), query=query[1], limit=calling.SEARCHED)

    def recall(_):
        memories = work.recall_memories
        for start in range(0, len(memories), 500):
            store.batch(
                [
                    PutOp((owner,), str(start + place), {"text": text})
                    for place, (owner, text, _) in enumerate(memories[start : start + 500])
                ]
            )
        found = [
            [int(item.key) for item in store.search((owner,), query=text, limit=10)]
            for owner, text, _ in work.recall_queries
        ]
        return {"found": found}

    calling.serve(
        {
            calling.ROW: lambda n: calling.timed(put_row, work.part(calling.ROW, n)),
            calling.ROW_MANY: lambda n: calling.timed(
                put_row, work.part(calling.ROW_MANY, n), calling.CALLERS
            ),
            calling.VECTOR: lambda n: calling.timed(put, work.part(calling.VECTOR, n)),
            calling.VECTOR_MANY: lambda n: calling.timed(
                put, work.part(calling.VECTOR_MANY, n), calling.CALLERS
            ),
            calling.BATCHES: lambda n: calling.timed(
                put_batch, work.batches(n), each=work.batch_size(n)
            ),
            calling.READ_NEW: lambda n: calling.timed(
                get, work.part(calling.READ_NEW, n), prepare=put
            ),
            calling.READ_LATER: lambda n: calling.timed(get, keys),
            calling.READ_AGAIN: lambda n: calling.timed(get, keys),
            calling.READ_MANY: lambda n: calling.timed(get, keys, calling.CALLERS),
            calling.SEARCH: lambda n: calling.timed(search, work.queries),
            calling.SEARCH_MANY: lambda n: calling.timed(search, work.queries, calling.CALLERS),
            calling.RECALL: recall,
        }
    )
