"""Acme's deployer passes the conformance suite."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import mastra_deployer_acme.hooks
import pytest
from acme_fake import AcmeFake

from mastra_deployer.testing import DeployerSuite


class TestAcme(DeployerSuite):
    reserved_variables = ("HOST", "PORT")

    @pytest.fixture
    def deployer(self) -> ModuleType:
        return mastra_deployer_acme.hooks

    @pytest.fixture
    def platform(self, tmp_path: Path) -> Iterator[AcmeFake]:
        acme = AcmeFake(tmp_path / "acme")
        acme.start()
        yield acme
        acme.stop()
