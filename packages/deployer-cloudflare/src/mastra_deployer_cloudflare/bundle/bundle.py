"""Write a bundle: the modules of the Worker, and ``worker.json``.

modules/_mastra_worker.py    the main module, which contains the facts about the app
modules/_mastra_worker_lib/  the package that runs the app inside the Worker
modules/app/                 the app
modules/python_modules/      the dependencies, with the Worker's SDK
"""

from __future__ import annotations

from pathlib import Path

from mastra_core.pipeline import Build, Bundle, Report, lay_out
from mastra_deployer_cloudflare.bundle.main_module import (
    LIBRARY,
    MAIN,
    write_library,
    write_main_module,
)
from mastra_deployer_cloudflare.bundle.worker_modules import (
    MODULES,
    WorkerConfig,
    write_worker_config,
)
from mastra_deployer_cloudflare.settings import CloudflareDeployer

__all__ = ("write_bundle",)

_DATE = "2026-11-17"  # never "today": a date later than the runtime is refused


def write_bundle(
    build: Build, directory: Path, settings: CloudflareDeployer, report: Report
) -> Bundle:
    """Write the modules of the Worker into a bundle.

    :param build: the finished build.
    :param directory: the empty directory of the bundle.
    :param settings: settings of the deployer.
    :param report: receives progress.
    :returns: the sealed bundle.
    """
    report.step("Writing the modules of the Worker")
    modules = directory / MODULES
    lay_out(build.directory / "app", modules / "app")
    vendor = build.directory / build.manifest.paths[-1]
    lay_out(vendor, modules / "python_modules")
    # wrangler writes this file too: the runtime takes the directory for an environment.
    (modules / "python_modules/pyvenv.cfg").write_bytes(b"")
    write_library(modules / LIBRARY)
    write_main_module(modules / MAIN, build.manifest, settings)
    handlers = ("fetch", "scheduled") if settings.crons else ("fetch",)
    config = WorkerConfig(main=MAIN, compatibility_date=_DATE, handlers=handlers)
    write_worker_config(directory, config)
    return Bundle.seal(build, directory, "cloudflare")
