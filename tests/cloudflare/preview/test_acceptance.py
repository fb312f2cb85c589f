"""The acceptance suite over the preview: the bundle in Pyodide on Node."""

import os

import pytest

from mastra_deployer.testing import AppSuite

pytestmark = pytest.mark.slow


class TestCloudflarePreview(AppSuite):
    target = "cloudflare"
    shared_memory = False  # isolates are many, so a workflow that suspends is refused
    requires_npm_client = bool(os.environ.get("CI"))
