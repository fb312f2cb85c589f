"""The acceptance suite over the preview: the bundle in Pyodide on Node."""

import os

import pytest

from mastra_deployer.testing import AppSuite
from mastra_deployer.testing.acceptance.app_process import write_app

pytestmark = pytest.mark.slow

# What the check recognizes, and other words for it.
_HIDDEN = {
    "@step(resume=_Decision, suspend=dict)": "@step",
    "context.suspend(": 'getattr(context, "suspend")(',
}


class TestCloudflarePreview(AppSuite):
    target = "cloudflare"
    requires_npm_client = bool(os.environ.get("CI"))

    @pytest.fixture(scope="class")
    @classmethod
    def app_project(cls, tmp_path_factory):
        """The example application, whose step does not show that it suspends.

        The check refuses such a workflow, because other isolates do not know its runs. The preview
        has one isolate, so that the run can be resumed there.
        """
        root = write_app(tmp_path_factory.mktemp("acceptance") / "app")
        entry = root / "src/mastra/index.py"
        text = entry.read_text()
        for words, others in _HIDDEN.items():
            assert words in text
            text = text.replace(words, others)
        entry.write_text(text)
        return root
