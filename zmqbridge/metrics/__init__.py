"""What Prometheus reads of an orchestrator, on a port of its own. docs/metrics.md lists it."""
