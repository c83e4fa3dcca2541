"""Where the orchestrator listens."""

import pytest
import zmq

from zmqbridge.binding import bind


@pytest.mark.parametrize("port", ["65536", "99999", "9" * 30])
def test_a_port_that_there_is_not_is_not_bound_as_another(port):
    refused = pytest.raises(zmq.ZMQError, match=f"{port} has no port from 0 to 65535")
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router, refused:
        bind(router, f"tcp://127.0.0.1:{port}")
