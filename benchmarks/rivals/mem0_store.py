"""mem0 with pgvector and without a language model (`infer=False`). Keeps a text, its vector and
metadata, and a history in SQLite; no recognition of repeats, no sessions, no typed content."""

import calling
from mem0 import Memory

address, work = calling.read_work()
vectors = work.vectors()
dimension = len(next(iter(vectors.values())))


class GivenVectors:
    def embed(self, text, memory_action=None):
        return vectors[text]

    def embed_batch(self, texts, memory_action=None):
        return [vectors[text] for text in texts]


def open_memory(collection):
    local = {"lmstudio_base_url": "http://127.0.0.1:9/v1"}
    memory = Memory.from_config(
        {
            "vector_store": {
                "provider": "pgvector",
                "config": {
                    "connection_string": address,
                    "collection_name": collection,
                    "embedding_model_dims": dimension,
                    "hnsw": True,
                    "minconn": 2,
                    "maxconn": calling.CALLERS,
                },
            },
            "llm": {"provider": "lmstudio", "config": local},
            "embedder": {"provider": "lmstudio", "config": local | {"embedding_dims": dimension}},
            "history_db_path": f"{collection}.db",
        }
    )
    memory.embedding_model = GivenVectors()
    return memory


memory = open_memory("memories")
ids = []


def add(each):
    owner, text, _ = each
    added = memory.add(text, user_id=owner, infer=False)
    ids.append(added["results"][0]["id"])
    return ids[-1]


def add_batch(batch):
    said = [{"role": "user", "content": text} for _, text, _ in batch]
    added = memory.add(said, user_id=batch[0][0], infer=False)
    ids.extend(each["id"] for each in added["results"])


def search(query, top_k=calling.SEARCHED, of=memory):
    # Not asserted to find: the index is searched before the filter, and may leave nothing over.
    return of.search(query[1], filters={"user_id": query[0]}, top_k=top_k, threshold=0.0)


def recall(_):
    """Filled by its vector store's own bulk insert: one by one it would take ten minutes."""
    big = open_memory("recall")
    for start in range(0, len(work.recall_memories), 500):
        some = work.recall_memories[start : start + 500]
        big.vector_store.insert(
            vectors=[vector for _, _, vector in some],
            payloads=[
                {"user_id": owner, "data": text, "place": start + place}
                for place, (owner, text, _) in enumerate(some)
            ],
            ids=[f"00000000-0000-4000-8000-{start + place:012d}" for place in range(len(some))],
        )
    found = []
    for query in work.recall_queries:
        results = search(query, 10, big)["results"]
        found.append([int(each["id"][-12:]) for each in results])
    return {"found": found}


calling.serve(
    {
        calling.VECTOR: lambda n: calling.timed(add, work.part(calling.VECTOR, n)),
        calling.VECTOR_MANY: lambda n: calling.timed(
            add, work.part(calling.VECTOR_MANY, n), calling.CALLERS
        ),
        calling.BATCHES: lambda n: calling.timed(
            add_batch, work.batches(n), each=work.batch_size(n)
        ),
        calling.READ_NEW: lambda n: calling.timed(
            memory.get, work.part(calling.READ_NEW, n), prepare=add
        ),
        calling.READ_LATER: lambda n: calling.timed(memory.get, ids),
        calling.READ_AGAIN: lambda n: calling.timed(memory.get, ids),
        calling.READ_MANY: lambda n: calling.timed(memory.get, ids, calling.CALLERS),
        calling.SEARCH: lambda n: calling.timed(search, work.queries),
        calling.SEARCH_MANY: lambda n: calling.timed(search, work.queries, calling.CALLERS),
        calling.RECALL: recall,
    }
)
