import pytest

for module in ("databases", "loads", "processes", "wire"):
    pytest.register_assert_rewrite(f"{__name__}.{module}")
