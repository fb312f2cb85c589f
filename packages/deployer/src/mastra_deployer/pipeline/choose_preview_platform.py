"""Choose the platform of a preview, so that the bundle runs on this machine."""

from __future__ import annotations

import dataclasses

from mastra_core.errors import ConfigError
from mastra_core.pipeline import BundleManifest, Platform, Project, Report, Target
from mastra_deployer.pipeline.choose_platform import choose_platform
from mastra_deployer.project.interpreters import (
    Interpreter,
    find_project_interpreter,
    find_target_interpreter,
)

__all__ = ("PreviewPlatform", "check_runs_here", "choose_preview_platform")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PreviewPlatform:
    """The platform of a preview.

    :param platform: the platform.
    :param is_local: whether the platform is that of this machine, because the target lists no
        platform that can run here.
    """

    platform: Platform
    is_local: bool = False


def choose_preview_platform(
    project: Project, target: Target, python: str, wheels: str, report: Report
) -> PreviewPlatform:
    """Choose a platform whose bundle runs on this machine.

    :param project: the app.
    :param target: the target. The target's own platforms come first.
    :param python: ``--python``: a version, or the path of an interpreter; may be empty.
    :param wheels: ``--platform``, in uv's notation; may be empty.
    :param report: receives a note if the preview's bundle differs from the bundle of a deploy.
    :raises ConfigError: when no bundle for the target runs on this machine.
    """
    deployed = choose_platform(project, target.platforms, python, wheels)
    if target.emulated_previews:
        return PreviewPlatform(platform=deployed)
    interpreter = _find_interpreter(project, deployed)
    if interpreter.can_run(deployed.wheels):
        return PreviewPlatform(platform=deployed)
    if wheels:
        raise _build_refusal(deployed.wheels, interpreter)
    for item in target.platforms:
        if item.python in ("", deployed.python) and interpreter.can_run(item.wheels):
            return PreviewPlatform(platform=dataclasses.replace(deployed, wheels=item.wheels))
    if not target.native_previews:
        raise _build_refusal(deployed.wheels, interpreter)
    report.note(
        f"The preview has the packages for this machine ({interpreter.wheels}). A deploy has the "
        f"packages for {deployed.wheels}.",
        f"To try the files of a deploy, run the preview on a machine with {deployed.wheels}, for "
        "example in CI.",
    )
    local = dataclasses.replace(deployed, wheels=interpreter.wheels)
    return PreviewPlatform(platform=local, is_local=True)


def check_runs_here(project: Project, target: Target, manifest: BundleManifest) -> None:
    """Check that an existing bundle runs on this machine.

    :param project: the project that the command runs in.
    :param target: the target. A target's preview may emulate the platform, or may run a bundle
        without compiled packages on any machine.
    :param manifest: the manifest of the bundle.
    :raises ConfigError: when the compiled code of the bundle is for another machine.
    """
    if target.emulated_previews:
        return
    platform = Platform(python=manifest.python, wheels=manifest.wheels)
    interpreter = _find_interpreter(project, platform)
    is_portable = manifest.pure and target.native_previews
    if not is_portable and not interpreter.can_run(manifest.wheels):
        raise _build_refusal(manifest.wheels, interpreter)


def _find_interpreter(project: Project, platform: Platform) -> Interpreter:
    """Return a Python of this machine with the bundle's version, or else the project's own Python.

    Either interpreter shows whether the bundle can run on this machine, because both are for the
    same processor and C library.
    """
    own = find_project_interpreter(project)
    return find_target_interpreter(platform.python, own, platform.interpreter) or own


def _build_refusal(wheels: str, interpreter: Interpreter) -> ConfigError:
    return ConfigError(
        f"The bundle is for {wheels}, and this machine is {interpreter.machine}, so the bundle "
        "does not run here.",
        "Run the app with `mastra build` and `mastra start`, or with `mastra dev`. To preview the "
        f"bundle, use a machine with {wheels}, for example in CI.",
    )
