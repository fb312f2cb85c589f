"""The suite that every storage must pass."""

from __future__ import annotations

from mastra_core.testing.encoding_tests import EncodingTests
from mastra_core.testing.message_tests import MessageTests
from mastra_core.testing.random_call_tests import RandomCallTests
from mastra_core.testing.record_tests import RecordTests
from mastra_core.testing.suspended_run_tests import SuspendedRunTests
from mastra_core.testing.thread_tests import ThreadTests
from mastra_core.testing.working_memory_tests import WorkingMemoryTests

__all__ = ("StorageSuite",)


class StorageSuite(
    ThreadTests,
    MessageTests,
    WorkingMemoryTests,
    SuspendedRunTests,
    RecordTests,
    EncodingTests,
    RandomCallTests,
):
    """The base class for tests of a storage; a subclass defines the fixture ``storage``.

    class TestAcmeStorage(StorageSuite):
        @pytest.fixture
        def storage(self, tmp_path):
            return AcmeStorage(tmp_path / "acme")
    """
