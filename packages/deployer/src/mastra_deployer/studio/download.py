"""Download Studio's files once, and check them against a known hash."""

from __future__ import annotations

from pathlib import Path

from mastra_core.pipeline import Report
from mastra_deployer.kit import NpmPackage, get_npm_package

__all__ = ("VERSION", "get_studio_files")

VERSION = "1.31.0"
_PACKAGE = NpmPackage(
    name="mastra",
    version=VERSION,
    integrity="sha512-cEGsDuZGsHmhX/+R9JiTFiUhYIAe2BMdnUMGKOqvkUEZeThsV6pY+xUawuxI"
    "0Lg5fuzQ3fKMFJpduDpTz+KSyQ==",
    directory="dist/studio",
)


def get_studio_files(report: Report) -> Path:
    """Return the directory with Studio's files, and download missing files (5.4 MB).

    ``NPM_CONFIG_REGISTRY`` names another registry, as for npm itself.

    :param report: receives progress.
    :raises ApiError: when the registry rejects the request.
    :raises ConfigError: when the cache cannot be written, or the registry's address is invalid.
    :raises DeployError: when the content differs from what was published.
    """
    return get_npm_package(_PACKAGE, report)
