"""The plugin with the default ``mastra_build``, which imports the bundler when it is called.

Commands that build nothing, such as ``mastra deployments``, therefore do not import the bundler.
"""

from __future__ import annotations

from pathlib import Path

from mastra_core.hooks import hookimpl
from mastra_core.pipeline import Build, Platform, Project, Report, Target

__all__ = ("mastra_build",)


@hookimpl(trylast=True)
def mastra_build(
    project: Project, target: Target, platform: Platform, directory: Path, report: Report
) -> Build:
    """Stage the app for one platform; the hook of a deployer replaces this function.

    :param project: the app.
    :param target: the target, whose runtime requirements are included.
    :param platform: the platform to build for.
    :param directory: an empty directory for the build.
    :param report: receives progress.
    """
    from mastra_deployer.bundler.build import build_app

    return build_app(project, target, platform, directory, report)
