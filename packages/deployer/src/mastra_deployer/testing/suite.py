"""The conformance suite, which tests the requirements on every deployer."""

from __future__ import annotations

from typing import Any

from mastra_deployer.testing.bundle import BundleTests
from mastra_deployer.testing.canary import CanaryTests
from mastra_deployer.testing.concurrent_deploys import ConcurrentDeployTests
from mastra_deployer.testing.deploy import DeployTests
from mastra_deployer.testing.faults import FaultTests
from mastra_deployer.testing.management import ManagementTests
from mastra_deployer.testing.overrides import require_expected_failures
from mastra_deployer.testing.preview import PreviewTests
from mastra_deployer.testing.read_only import ReadOnlyTests
from mastra_deployer.testing.secrets import SecretTests
from mastra_deployer.testing.target import TargetTests

__all__ = ("DeployerSuite",)


class DeployerSuite(
    TargetTests,
    BundleTests,
    PreviewTests,
    DeployTests,
    ConcurrentDeployTests,
    FaultTests,
    ReadOnlyTests,
    ManagementTests,
    CanaryTests,
    SecretTests,
):
    """The base class for a deployer's conformance tests; it needs two fixtures.

        class TestAcme(DeployerSuite):
            @pytest.fixture
            def deployer(self):
                return mastra_deployer_acme

            @pytest.fixture
            def platform(self, tmp_path):
                ...

    If the platform cannot pass a test, override the test with the mark ``xfail`` and a reason.
    """

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Raise an error for overridden tests that are not marked as expected failures.

        :raises TypeError: when an overridden test has no such mark; the error names the test.
        """
        super().__init_subclass__(**arguments)
        require_expected_failures(cls, DeployerSuite)
