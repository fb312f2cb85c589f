"""The acceptance suite: one application and one set of requests for all runtimes."""

from __future__ import annotations

from mastra_deployer.testing.acceptance.agents import AgentTests
from mastra_deployer.testing.acceptance.npm_client import NpmClientTests
from mastra_deployer.testing.acceptance.requests import RequestTests
from mastra_deployer.testing.acceptance.workflows import WorkflowTests
from mastra_deployer.testing.overrides import require_expected_failures

__all__ = ("AppSuite",)


class AppSuite(AgentTests, WorkflowTests, RequestTests, NpmClientTests):
    """The base class for tests of a running application on a platform.

        class TestAcmePreview(AppSuite):
            target = "acme"
            options = ("-s", "app=shop")

    If the target has no preview, override the fixture ``app_url``.
    """

    def __init_subclass__(cls, **arguments: object) -> None:
        """Raise an error for overridden tests that are not marked as expected failures.

        :raises TypeError: when an overridden test has no such mark; the error names the test.
        """
        super().__init_subclass__(**arguments)
        require_expected_failures(cls, AppSuite)
