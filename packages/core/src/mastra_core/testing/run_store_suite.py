"""The suite that every store of durable runs must pass."""

from __future__ import annotations

from mastra_core.testing.run_store.child_tests import ChildTests
from mastra_core.testing.run_store.claim_tests import ClaimTests
from mastra_core.testing.run_store.fingerprint_tests import FingerprintTests
from mastra_core.testing.run_store.journal_tests import JournalTests
from mastra_core.testing.run_store.lifecycle_tests import RunLifecycleTests
from mastra_core.testing.run_store.list_tests import ListTests
from mastra_core.testing.run_store.schedule_tests import ScheduleTests

__all__ = ("RunStoreSuite",)


class RunStoreSuite(
    RunLifecycleTests,
    JournalTests,
    ClaimTests,
    FingerprintTests,
    ListTests,
    ScheduleTests,
    ChildTests,
):
    """The base class for tests of a run store; a subclass defines the fixture ``store``.

    class TestAcmeRunStore(RunStoreSuite):
        @pytest.fixture
        def store(self, tmp_path):
            return AcmeRunStore(tmp_path / "acme")
    """
