"""Test suites for authors of storages and of stores for durable runs.

    from mastra_core.testing import StorageSuite

    class TestAcmeStorage(StorageSuite): ...

This package needs pytest and hypothesis: ``pip install "mastra-core[testing]"``.
"""

import pkgutil

import pytest

# Before the import of the modules, so that a failed assertion shows both operands.
pytest.register_assert_rewrite(
    *(f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__))
)

from mastra_core.testing.run_store_suite import RunStoreSuite  # noqa: E402  # after the line above
from mastra_core.testing.storage_suite import StorageSuite  # noqa: E402  # after the line above

__all__ = ("RunStoreSuite", "StorageSuite")
