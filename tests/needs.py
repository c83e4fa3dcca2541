"""What a test needs of the machine. Where it is missing the test is skipped, but not where the
environment says that it has to be there: .ci/run does, so that nothing goes untested unseen."""

import os

import pytest


def need(is_there, switch, why):
    """`switch`: the variable of the environment, whatever its value."""
    if not is_there and switch not in os.environ:
        pytest.skip(f"{why} ({switch} makes this a failure)")
    assert is_there, why
