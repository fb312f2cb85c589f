"""Two test suites for deployer authors: one for a deployer, and one for an app on its platform.

    from mastra_deployer.testing import AppSuite, DeployerSuite

    class TestAcme(DeployerSuite): ...

    class TestAcmePreview(AppSuite): ...

The suites need pytest: ``pip install "mastra-deployer[testing]"``.
"""

import pkgutil

import pytest

# Before the import of the modules, so that a failed assertion shows both operands.
pytest.register_assert_rewrite(
    *(f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__))
)

from mastra_deployer.testing.acceptance.app_suite import (  # noqa: E402  # after the line above
    AppSuite,
)
from mastra_deployer.testing.fake_platform import (  # noqa: E402  # after the line above
    FakePlatform,
    Live,
)
from mastra_deployer.testing.fault_injection import Exchange  # noqa: E402  # after the line above
from mastra_deployer.testing.harness import Harness  # noqa: E402  # after the line above
from mastra_deployer.testing.suite import DeployerSuite  # noqa: E402  # after the line above

__all__ = ("AppSuite", "DeployerSuite", "Exchange", "FakePlatform", "Harness", "Live")
