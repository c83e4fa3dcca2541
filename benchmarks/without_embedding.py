"""The commands of manage.py with the embedding job at rest: what the job costs is the difference.

The embedder is loaded and answers searches as ever, and what waits for a vector is queued. Called
by the scenario `embedding`.
"""

import os
import sys

import django
from django.core.management import execute_from_command_line


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "memoryproject.settings")
    django.setup()
    from zmqbridge import jobs

    if not hasattr(jobs, "embed_tasks"):
        sys.exit("zmqbridge.jobs has no embed_tasks: what is to be put to rest?")
    jobs.embed_tasks = lambda: 0
    execute_from_command_line(["manage.py", *sys.argv[1:]])


if __name__ == "__main__":
    main()
