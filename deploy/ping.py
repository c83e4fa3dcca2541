"""Health check: exit code 0 where an orchestrator answers and is well. `python deploy/ping.py`."""

import sys
from pathlib import Path

# Run as a file, Python looks for modules beside it, not in the directory above.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from zmqbridge.client import DEFAULT_ENDPOINT, Client, ClientError


def main() -> None:
    endpoint = sys.argv[1] if len(sys.argv) > 1 else DEFAULT_ENDPOINT
    try:
        with Client(endpoint, timeout_seconds=3) as client:
            health = client.ping()
    except ClientError as error:
        sys.exit(str(error))
    if not health.is_ok:
        sys.exit(" ".join(map(str, health.problems.values())))


if __name__ == "__main__":
    main()
