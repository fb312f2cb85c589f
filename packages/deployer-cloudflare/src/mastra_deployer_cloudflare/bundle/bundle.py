"""Write a bundle: the modules of the Worker, and ``worker.json``."""

from __future__ import annotations

from pathlib import Path

from mastra_core.pipeline import Build, Bundle, Report
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
    build.copy_to(directory / MODULES)
    handlers = ("fetch", "scheduled") if settings.crons else ("fetch",)
    config = WorkerConfig(main="index.py", compatibility_date=_DATE, handlers=handlers)
    write_worker_config(directory, config)
    return Bundle.seal(build, directory, "cloudflare")
