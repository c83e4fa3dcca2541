"""The figures that cost a query, kept from one measuring to the next: no scrape asks the database.

A job of the orchestrator measures; the metrics read.
"""

import time

from memories.services.measures import Measures, measure_database


class Measuring:
    def __init__(self) -> None:
        self.latest = Measures()
        self.measured_at = 0.0

    def __call__(self) -> bool:
        self.latest = measure_database()
        self.measured_at = time.time()
        return False
