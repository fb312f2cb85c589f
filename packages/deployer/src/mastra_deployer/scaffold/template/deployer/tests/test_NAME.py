"""The promises that mastra asks of every deployer, kept by this one."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from mastra_deployer.testing import DeployerSuite

import mastra_deployer_<<NAME>>.hooks
from fake_platform import FakePlatform


class Test<<cls>>(DeployerSuite):
    """Its switches say what a platform cannot: `canary = False`, `logs = False`, ..."""

    @pytest.fixture
    def deployer(self) -> object:
        return mastra_deployer_<<NAME>>.hooks

    @pytest.fixture
    def platform(self) -> Iterator[FakePlatform]:
        platform = FakePlatform()
        threading.Thread(target=platform.serve_forever, args=(0.01,), daemon=True).start()
        yield platform
        platform.shutdown()
        platform.server_close()
