"""The conformance suite of mastra, and tests of this deployer alone."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from mastra_core import Secret
from mastra_core.pipeline import Bundle
from mastra_deployer.testing import DeployerSuite, Harness

from fake_platform import FakePlatform
from mastra_deployer_<<NAME>> import hooks


class Test<<cls>>(DeployerSuite):
    """Class attributes say what the platform cannot do: `canary = False`, `logs = False`, ..."""

    @pytest.fixture
    def deployer(self) -> object:
        return hooks

    @pytest.fixture
    def platform(self) -> Iterator[FakePlatform]:
        platform = FakePlatform()
        threading.Thread(target=platform.serve_forever, args=(0.01,), daemon=True).start()
        yield platform
        platform.shutdown()
        platform.server_close()

    def test_preview_runs_the_bundle(self, harness: Harness) -> None:
        script = "import os, sys; sys.exit(os.environ['GREETING'] + os.environ['PORT'] != 'hi3000')"
        bundle: Bundle = harness.bundle()
        (bundle.directory / "index.py").write_text(script)
        env = {"GREETING": Secret("hi")}
        assert hooks.mastra_preview(bundle, "127.0.0.1", 3000, env) == 0


def test_importing_the_settings_loads_mastra_core_alone() -> None:
    script = (
        "import sys\n"
        "from mastra_deployer_<<NAME>> import <<cls>>\n"
        "loaded = {'httpx', 'mastra_deployer', 'pluggy'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)  # noqa: S603  # no shell
