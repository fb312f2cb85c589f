"""What tests of several directories need: Netlify's bootstrap, interpreters, and a real function.

The function is built once in a run, and runs once in a file of tests.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mastra_deployer_netlify.bundle.output import FUNCTIONS
from mastra_deployer_netlify.preview.unpack_function import unpack_function
from tests.conftest import run_mastra
from tests.netlify.function_process import run_function
from tests.netlify.tiny_interpreter import write_tiny_interpreter
from tests.npm import ensure_installed
from tests.sample_projects import write_project

_APP = Path(__file__).with_name("function_app.py")
_TOOL = """
GREETING = "hello from a child"


def greet():
    return GREETING


if __name__ == "__main__":
    print(GREETING)
"""
_CONFIG = """
[tool.mastra.env]
required = ["FAILURE"]
optional = ["NETLIFY_DB_URL"]
"""

_CLI = "netlify-cli@27.10.2"
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


@pytest.fixture(scope="session")
def cli_script():
    """Netlify's own command, installed before a test has an empty home directory."""
    return ensure_installed(_CLI) / "node_modules/netlify-cli/bin/run.js"


@pytest.fixture(scope="session")
def function_bundle(bootstrap, tmp_path_factory):
    """A bundle of `function_app.py` with a real Python; its project is beside it."""
    base = tmp_path_factory.getbasetemp()
    # All workers of a run share the parent; without workers, all runs share it.
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    shared = base / "netlify-function"
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "out").exists():
            files = {"main.py": _APP.read_text(), "tool.py": _TOOL}
            root = write_project(shared / "app", files, _CONFIG)
            options = ("--app", "main:app", "-s", "project_name=shop", "-o", shared / "out")
            run_mastra("bundle", "netlify", *options, cwd=root, FAILURE=str(root / "none")).ok()
    return shared / "out"


@pytest.fixture(scope="session")
def function_archive(function_bundle):
    """The zip of the function."""
    return function_bundle / FUNCTIONS / "api.zip"


@pytest.fixture(scope="session")
def function_directory(function_archive, tmp_path_factory):
    """The unpacked function, with the modes of its files."""
    directory = tmp_path_factory.mktemp("function") / "api"
    unpack_function(function_archive, directory)
    yield directory
    shutil.rmtree(directory.parent)


@pytest.fixture(scope="module")
def function(function_directory, tmp_path_factory):
    """The function, running."""
    temporary = tmp_path_factory.mktemp("instance") / "tmp"
    with run_function(function_directory, temporary, {"FAILURE": str(temporary / "-")}) as instance:
        yield instance
