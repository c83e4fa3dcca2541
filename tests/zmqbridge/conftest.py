import pytest


@pytest.fixture(autouse=True)
def _patient_listeners(monkeypatch):
    """On a busy machine a heartbeat comes late, and what a test is about is not asked of a cache
    that distrusts itself; test_listener sets its own silence."""
    monkeypatch.setattr("zmqbridge.listener._SILENCE_SECONDS", 60)
