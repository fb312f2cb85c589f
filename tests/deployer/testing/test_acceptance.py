"""The acceptance suite over `python .mastra/index.py`."""

import os

import pytest

from mastra_deployer.testing import AppSuite

pytestmark = pytest.mark.slow


class TestBuiltApp(AppSuite):
    requires_npm_client = bool(os.environ.get("CI"))
