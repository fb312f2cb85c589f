"""The acceptance suite over Vercel's Python runtime, behind the preview's proxy."""

import os

import pytest

from mastra_deployer.testing import AppSuite

pytestmark = pytest.mark.slow


class TestVercelPreview(AppSuite):
    target = "vercel"
    options = ("-s", "project_name=acceptance", "--python", "3.12")
    body_limit = 4_500_000
    requires_npm_client = bool(os.environ.get("CI"))

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def python(cls, find_python):
        find_python("3.12")
