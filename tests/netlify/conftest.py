"""A fake Netlify, and what bundles for it need."""

import os
import subprocess
import sys

import pytest

from tests.netlify.tiny_interpreter import write_tiny_interpreter

_DOWNLOAD = """
from mastra_core.pipeline import SilentReport
from mastra_deployer.kit import get_npm_package
from mastra_deployer_netlify.bundle.function_archive import BOOTSTRAP

get_npm_package(BOOTSTRAP, SilentReport())
"""


@pytest.fixture(scope="session")
def bootstrap():
    """Download Netlify's bootstrap into the cache; outside CI a test is skipped without npm."""
    done = subprocess.run([sys.executable, "-c", _DOWNLOAD], capture_output=True, check=False)
    if done.returncode and not os.environ.get("CI"):
        pytest.skip(f"npm's registry is out of reach: {done.stderr.decode()[-200:]}")
    assert done.returncode == 0, done.stderr.decode()


@pytest.fixture(scope="session")
def tiny_interpreter(tmp_path_factory):
    """A directory that passes for a Python, for bundles that are never run."""
    return write_tiny_interpreter(tmp_path_factory.mktemp("netlify") / "interpreter")
