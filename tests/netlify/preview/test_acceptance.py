"""The acceptance suite over the preview: Netlify's bootstrap in a stand-in for AWS Lambda."""

import os

import pytest

from mastra_deployer.testing import AppSuite

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("bootstrap")]


class TestNetlifyPreview(AppSuite):
    target = "netlify"
    options = ("-s", "project_name=acceptance")
    requires_npm_client = bool(os.environ.get("CI"))
