"""Check bundles against the rules of Workers, offline."""

from __future__ import annotations

from collections.abc import Iterator

from mastra_core.errors import BundleError
from mastra_core.pipeline import Bundle, Problem

__all__ = ("inspect_bundle",)


def inspect_bundle(bundle: Bundle) -> Iterator[Problem]:
    """Check the layout of a bundle, including prebuilt bundles.

    :param bundle: the bundle to check.
    :returns: the problems found.
    """
    from mastra_deployer_cloudflare.bundle.worker_modules import read_worker_config

    try:
        read_worker_config(bundle.directory)
    except BundleError as error:
        yield Problem(message=error.message, hint=error.hint)
