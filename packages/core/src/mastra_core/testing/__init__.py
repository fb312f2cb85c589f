"""Test suites for authors of storages and of stores for durable runs.

    from mastra_core.testing import StorageSuite

    class TestAcmeStorage(StorageSuite): ...

This package needs pytest and hypothesis: ``pip install "mastra-core[testing]"``.
"""

import pytest

_MODULES = (
    "message_tests",
    "random_call_tests",
    "run_store_suite",
    "suspended_run_tests",
    "thread_tests",
    "working_memory_tests",
)
# Before the import of these modules, so that a failed assertion shows both operands.
pytest.register_assert_rewrite(*(f"mastra_core.testing.{name}" for name in _MODULES))

from mastra_core.testing.run_store_suite import RunStoreSuite  # noqa: E402  # after the line above
from mastra_core.testing.storage_suite import StorageSuite  # noqa: E402  # after the line above

__all__ = ("RunStoreSuite", "StorageSuite")
