"""Choose the platform of a bundle, for a deploy or for a preview on this machine."""

from __future__ import annotations

import dataclasses
import re
import sys

from mastra_core.errors import ConfigError
from mastra_core.pipeline import BundleManifest, Platform, Project, Report, Target
from mastra_deployer.project.discovery import get_config
from mastra_deployer.project.interpreters import (
    Interpreter,
    find_project_interpreter,
    find_target_interpreter,
    probe_interpreter,
)

__all__ = ("PreviewPlatform", "check_runs_here", "choose_platform", "choose_preview_platform")

_VERSION = re.compile(r"3\.\d+")
# The platforms that uv chooses wheels for, and a bundle can run on.
_PLATFORM = re.compile(
    r"(x86_64|aarch64)-(manylinux2014|manylinux_2_(17|28|3[1-9]|40)|unknown-linux-(gnu|musl)"
    r"|apple-darwin|pc-windows-msvc)|i686-pc-windows-msvc"
)
# uv's short names.
_ALIASES = {
    "linux": "x86_64-unknown-linux-gnu",
    "macos": "aarch64-apple-darwin",
    "windows": "x86_64-pc-windows-msvc",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class PreviewPlatform:
    """The platform of a preview.

    :param platform: the platform.
    :param is_local: whether it is that of this machine, which the target does not have.
    """

    platform: Platform
    is_local: bool = False


def choose_platform(
    project: Project, platforms: tuple[Platform, ...], python: str, wheels: str
) -> Platform:
    """Choose the platform to build for: the requested one, or else the project's own.

    :param project: the app.
    :param platforms: those of the target, the preferred one first.
    :param python: ``--python``: a version, or the path of an interpreter; may be empty.
    :param wheels: ``--platform``, in uv's notation; may be empty.
    :raises ConfigError: when the target does not support what is requested, or no wheels can be
        chosen for it.
    """
    interpreter = _probe_option(python)
    project_python = find_project_interpreter(project)
    for item in filter(None, (interpreter, project_python, probe_interpreter(sys.executable))):
        _refuse_free_threading(item)
    wheels = _ALIASES.get(wheels, wheels)
    version = interpreter.python if interpreter else python or _read_configured_version(project)
    candidates = [
        platform
        for platform in platforms
        if (platform.python or version or project_python.python)
        == (version or platform.python or project_python.python)
        and (platform.wheels or wheels or project_python.wheels)
        == (wheels or platform.wheels or project_python.wheels)
    ]
    if not candidates:
        listed = "; ".join(map(str, platforms))
        raise ConfigError(
            f"The target does not support Python {version or project_python.python} on "
            f"{wheels or project_python.wheels}.",
            f"It supports: {listed}.",
        )
    chosen = next(
        (item for item in candidates if item.python == project_python.python and not version),
        candidates[0],
    )
    if not chosen.wheels:
        _check_wheels(wheels or project_python.wheels)
    return Platform(
        python=version or chosen.python or project_python.python,
        wheels=wheels or chosen.wheels or project_python.wheels,
        interpreter=interpreter.path if interpreter else "",
    )


def _check_wheels(wheels: str) -> None:
    """Check that wheels exist for a requested platform that the target itself does not list."""
    if not _PLATFORM.fullmatch(wheels):
        raise ConfigError(
            f"{wheels!r} is not a platform that mastra supports.",
            "Pass --platform with x86_64 or aarch64, such as x86_64-manylinux_2_28, "
            "aarch64-unknown-linux-musl, aarch64-apple-darwin or x86_64-pc-windows-msvc.",
        )


def _refuse_free_threading(interpreter: Interpreter) -> None:
    """Refuse a free-threading Python, because uv would choose wheels for such builds only."""
    if interpreter.is_free_threaded:
        raise ConfigError(
            f"The Python {interpreter.path!r} is a free-threading build, but a bundle needs the "
            "wheels of a Python with the GIL.",
            "Create the environment with another Python: uv venv --python "
            f"{interpreter.python}+gil, or python{interpreter.python} -m venv.",
        )


def _read_configured_version(project: Project) -> str:
    version = get_config(project).python
    if version and not _VERSION.fullmatch(version):
        raise ConfigError(
            f"[tool.mastra] python: {version!r} is not a version of Python 3.",
            'Write the major and the minor version: python = "3.12".',
        )
    return version


def _probe_option(python: str) -> Interpreter | None:
    """Return the interpreter of ``--python PATH``; ``None`` for a bare version."""
    if not python or _VERSION.fullmatch(python):
        return None
    interpreter = probe_interpreter(python)
    if interpreter is None:
        raise ConfigError(
            f"{python!r} is not a working Python interpreter.", "Pass --python PATH or 3.X."
        )
    return interpreter


def choose_preview_platform(
    project: Project, target: Target, python: str, wheels: str, report: Report
) -> PreviewPlatform:
    """Choose a platform whose bundle runs on this machine.

    :param project: the app.
    :param target: the target. Its own platforms come first.
    :param python: ``--python``: a version, or the path of an interpreter; may be empty.
    :param wheels: ``--platform``, in uv's notation; may be empty.
    :param report: receives a note where the bundle differs from that of a deploy.
    :raises ConfigError: when no bundle for the target runs here.
    """
    deployed = choose_platform(project, target.platforms, python, wheels)
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
        "To try the same files, run the preview on such a machine or in CI.",
    )
    local = dataclasses.replace(deployed, wheels=interpreter.wheels)
    return PreviewPlatform(platform=local, is_local=True)


def check_runs_here(project: Project, target: Target, manifest: BundleManifest) -> None:
    """Check that an existing bundle runs on this machine.

    :param project: the project that the command runs in.
    :param target: the target, which may add programs to a bundle without compiled packages.
    :param manifest: of the bundle.
    :raises ConfigError: when its compiled code is for another machine.
    """
    platform = Platform(python=manifest.python, wheels=manifest.wheels)
    interpreter = _find_interpreter(project, platform)
    is_portable = manifest.pure and target.native_previews
    if not is_portable and not interpreter.can_run(manifest.wheels):
        raise _build_refusal(manifest.wheels, interpreter)


def _find_interpreter(project: Project, platform: Platform) -> Interpreter:
    """Return a Python that runs a bundle here: of its version, or else the project's own.

    Both have the same machine and C library.
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
