"""The figures that cost a query or may wait for a disk, kept from one measuring to the next.

A job of the orchestrator measures; the metrics read: no scrape asks the database.
"""

import time

from memories.services.disks import Disk, measure_disks
from memories.services.measures import Measures, measure_database


class Measuring:
    def __init__(self) -> None:
        self.disks: tuple[Disk, ...] = ()
        self.latest = Measures()
        self.measured_at = 0.0

    def __call__(self) -> bool:
        self.disks = measure_disks()  # first: where one is full, the database may be away
        self.latest = measure_database()
        self.measured_at = time.time()
        return False
