"""The acceptance suite over an image that runs in its own root directory."""

import os

import pytest

from mastra_deployer.testing import AppSuite

pytestmark = pytest.mark.slow


class TestImage(AppSuite):
    target = "oci"
    options = ("-s", "image=registry.example/team/acceptance", "-s", "base=scratch+python")
    requires_npm_client = bool(os.environ.get("CI"))
