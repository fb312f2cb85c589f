"""The acceptance suite over a function in a warm stand-in for AWS Lambda."""

import os

import pytest

from mastra_deployer.testing import AppSuite
from mastra_deployer_netlify.bundle.output import FUNCTIONS
from tests.conftest import run_mastra
from tests.netlify.bundle.function_process import run_function, unpack_function

pytestmark = pytest.mark.slow


class TestNetlifyFunction(AppSuite):
    requires_npm_client = bool(os.environ.get("CI"))

    @pytest.fixture(scope="class")
    @classmethod
    def app_url(cls, bootstrap, app_project):
        out = app_project.parent / "out"
        options = ("-s", "project_name=acceptance", "-o", out)
        run_mastra("bundle", "netlify", *options, cwd=app_project, **cls.variables).ok()
        archive = out / FUNCTIONS / "api.zip"
        directory = unpack_function(archive, app_project.parent / "function")
        with run_function(directory, **cls.variables) as client:
            yield str(client.base_url)
