"""The acceptance suite over the preview: the bundle in Pyodide on Node."""

import os

import pytest

from mastra_deployer.testing import AppSuite
from mastra_deployer.testing.acceptance.app_process import write_app

pytestmark = pytest.mark.slow


class TestCloudflarePreview(AppSuite):
    target = "cloudflare"
    requires_npm_client = bool(os.environ.get("CI"))

    @pytest.fixture(scope="class")
    @classmethod
    def app_project(cls, tmp_path_factory):
        """The example application, whose suspended runs the check accepts.

        The preview has one isolate, so that these runs can be resumed there.
        """
        root = write_app(tmp_path_factory.mktemp("acceptance") / "app")
        with (root / "pyproject.toml").open("a") as file:
            file.write('\n[tool.mastra.check]\nignore = ["approval"]\n')
        return root
