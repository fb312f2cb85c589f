"""Find the browser that tests control."""

import os
import shutil

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def find_chromium():
    """Return the path of Chromium; skip the test without it, except in CI."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("Chromium is not installed")
    return found
