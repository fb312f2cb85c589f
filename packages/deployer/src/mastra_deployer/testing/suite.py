"""The conformance suite: what every deployer promises, as tests."""

from __future__ import annotations

import inspect
from typing import Any

from mastra_deployer.testing.bundle import Bundling
from mastra_deployer.testing.deploy import Deploying
from mastra_deployer.testing.faults import Troubles
from mastra_deployer.testing.management import Verbs
from mastra_deployer.testing.read_only import Looking
from mastra_deployer.testing.secrets import Keeping
from mastra_deployer.testing.target import Facts

__all__ = ("DeployerSuite",)


class DeployerSuite(Facts, Bundling, Deploying, Troubles, Looking, Verbs, Keeping):
    """Subclass it, and give it a ``deployer`` and a ``platform``.

        class TestAcme(DeployerSuite):
            @pytest.fixture
            def deployer(self):
                return mastra_deployer_acme

            @pytest.fixture
            def platform(self, tmp_path):
                ...

    A promise that cannot be kept is overridden only as ``xfail`` with a reason.
    """

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Refuse promises that are silently taken back.

        :raises TypeError: naming the test.
        """
        super().__init_subclass__(**arguments)
        for name in dir(DeployerSuite):
            mine = inspect.getattr_static(cls, name)
            if name.startswith("test_") and mine is not inspect.getattr_static(DeployerSuite, name):
                _refuse_silence(cls, name, mine)


def _refuse_silence(cls: type, name: str, test: object) -> None:
    for mark in getattr(test, "pytestmark", ()):
        if mark.name == "xfail" and str(mark.kwargs.get("reason") or "").strip():
            return
    raise TypeError(
        f"{cls.__name__}.{name} replaces a promise of DeployerSuite. Where the platform cannot "
        'keep it, mark it @pytest.mark.xfail(reason="...").'
    )
