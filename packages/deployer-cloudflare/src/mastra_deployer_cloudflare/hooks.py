"""The hooks of the Cloudflare deployer, each of which imports its module when it is called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from mastra_core import Secret
from mastra_core.hooks import hookimpl
from mastra_core.pipeline import (
    Build,
    Bundle,
    Limits,
    Problem,
    Report,
    Target,
)
from mastra_deployer_cloudflare.settings import CloudflareDeployer

__all__ = (
    "mastra_bundle",
    "mastra_check",
    "mastra_inspect",
    "mastra_preview",
    "mastra_target",
    "mastra_verify",
)

_SDK = "workers-runtime-sdk==1.9.5"  # the runtime does not contain it since 2026-04-21
# https://developers.cloudflare.com/workers/platform/limits/
_LIMITS = Limits(size=64 << 20, request=100_000_000)


@hookimpl
def mastra_target() -> Target:
    """Describe the target: a Python Worker, on Pyodide."""
    from mastra_deployer.kit import PYODIDE

    return Target(
        name="cloudflare",
        summary="a Python Worker on Cloudflare, by its API",
        settings=CloudflareDeployer,
        credentials=("CLOUDFLARE_API_TOKEN",),
        platforms=(PYODIDE,),
        requirements=(_SDK,),
        limits=_LIMITS,
        previews=True,
        emulated_previews=True,
        persistent_disk=False,
        short_lived=True,
        env_stages=("production",),
    )


@hookimpl
def mastra_check(build: Build, settings: CloudflareDeployer) -> Iterable[Problem]:
    """Check the settings, and the names of modules and bindings.

    :param build: the build that is about to be bundled.
    :param settings: settings of the deployer.
    """
    from mastra_deployer_cloudflare.bundle.checks import check_build

    return check_build(build, settings)


@hookimpl
def mastra_bundle(
    build: Build, directory: Path, settings: CloudflareDeployer, report: Report
) -> Bundle:
    """Write the modules of the Worker, and ``worker.json``.

    :param build: the finished build.
    :param directory: the empty directory of the bundle.
    :param settings: settings of the deployer.
    :param report: receives progress.
    """
    from mastra_deployer_cloudflare.bundle.bundle import write_bundle

    return write_bundle(build, directory, settings, report)


@hookimpl
def mastra_inspect(bundle: Bundle) -> Iterable[Problem]:
    """Check the layout of a bundle and the names of its modules; the host checks its size.

    :param bundle: the bundle to check.
    """
    from mastra_deployer_cloudflare.bundle.checks import inspect_bundle

    return inspect_bundle(bundle)


@hookimpl
def mastra_verify(bundle: Bundle, report: Report) -> Iterable[Problem]:
    """Import the Worker in Pyodide, without randomness and without values of variables.

    :param bundle: the bundle to check.
    :param report: receives progress.
    """
    from mastra_deployer_cloudflare.preview.import_check import verify_bundle

    return verify_bundle(bundle, report)


@hookimpl
def mastra_preview(
    bundle: Bundle, settings: CloudflareDeployer, host: str, port: int, env: Mapping[str, Secret]
) -> int:
    """Run the Worker on this machine, in Pyodide on Node, with local bindings from wrangler.

    :param bundle: the bundle to run.
    :param settings: settings of the deployer.
    :param host: address to listen on.
    :param port: port to listen on.
    :param env: environment variables of the app.
    """
    from mastra_deployer_cloudflare.preview.preview import preview

    return preview(bundle, settings, host, port, env)
