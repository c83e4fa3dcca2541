"""Search by words and by meaning: `find` is the way in, the rest are its steps.

`find` takes a query apart into an `Ask`; `owner_search` answers from memory, `candidates` from the
database; `ranking` puts what they found in order.
"""
