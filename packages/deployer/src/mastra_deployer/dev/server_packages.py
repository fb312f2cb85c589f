"""Install the server's packages for a project whose environment does not have them."""

from __future__ import annotations

import contextlib
import hashlib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from mastra_core.errors import BuildError, ConfigError
from mastra_core.pipeline import Project, Report, SilentReport
from mastra_deployer.project.interpreters import Interpreter
from mastra_deployer.project.wsgi_entry import WSGI_ADAPTER

if TYPE_CHECKING:
    from mastra_deployer.bundler.resolve.closure import Closure

__all__ = ("SERVER_MODULES", "format_install_command", "install_runtime", "needs_runtime")

# Modules that serve an app; a project need not depend on their distributions.
SERVER_MODULES = frozenset(
    ("a2wsgi", "litestar", "mastra_core", "mastra_server", "msgspec", "uvicorn")
)


_SERVER = "mastra-server[serve]"


def needs_runtime(interpreter: Interpreter) -> bool:
    """Return whether an earlier start had to install the server for this interpreter.

    In this case, the caller installs the server before it imports the app, because the import
    would probably fail without the server.

    :param interpreter: the interpreter of the project.
    """
    with contextlib.suppress(OSError, ConfigError):  # a cache that cannot be written
        return _get_marker(interpreter).exists()
    return False


def install_runtime(interpreter: Interpreter, report: Report) -> Path:
    """Return a directory with the server's packages; install them once per interpreter.

    The directory has the same contents as ``vendor`` in a bundle of a project without dependencies.

    :param interpreter: the interpreter of the project.
    :param report: receives progress.
    :raises ConfigError: when the installation fails, with the command that installs the server.
    """
    from mastra_deployer.bundler.resolve.closure import lock_closure
    from mastra_deployer.bundler.resolve.requirement_overrides import OWN_DISTRIBUTIONS
    from mastra_deployer.files.build_lock import hold_build_lock

    platform, home = interpreter.platform, _get_home(interpreter)
    project = Project(root=home, import_root=home, module="", attribute="", name="dev")
    try:
        with hold_build_lock(project, report):
            is_first = not any(home.glob(f"*-{interpreter.full_version}"))
            quiet = report if is_first else SilentReport()
            requirements = (_SERVER, WSGI_ADAPTER)
            closure = lock_closure(project, platform, requirements, OWN_DISTRIBUTIONS, quiet)
            tree = home / f"{closure.fingerprint[:16]}-{interpreter.full_version}"
            if not tree.exists():
                report.step(f"Installing the server for Python {platform.python}, once")
                _install_closure(closure, interpreter, tree, report)
            _get_marker(interpreter).touch()
            return tree
    except BuildError as error:
        raise ConfigError(
            f"{interpreter.path!r} does not have mastra-server, and its installation failed: "
            f"{error.message.partition(chr(10))[0]}",
            f"Install it there: {format_install_command(interpreter, shlex.quote(_SERVER))}.",
        ) from None


def _install_closure(
    closure: Closure, interpreter: Interpreter, tree: Path, report: Report
) -> None:
    """Install packages into a new directory, which appears complete or not at all."""
    from mastra_deployer.bundler.vendor.select_bytecode import BytecodeRequest
    from mastra_deployer.bundler.vendor.vendor import vendor_dependencies
    from mastra_deployer.files.directories import publish_directory
    from mastra_deployer.files.temporary import temporary_directory

    with temporary_directory(tree.parent) as temporary:
        new = Path(temporary) / "tree"
        vendor_dependencies(
            closure,
            interpreter.platform,
            frozenset(),
            interpreter,
            new,
            tree.parent / "-",
            report,
            bytecode=BytecodeRequest(mode="all"),
            is_complete=False,  # the project's environment has the packages of the app
        )
        publish_directory(new, tree)


def _get_home(interpreter: Interpreter) -> Path:
    from mastra_deployer.files.directories import get_cache_directory

    platform = interpreter.platform
    home = get_cache_directory("dev") / f"{platform.wheels}-{platform.python}"
    home.mkdir(exist_ok=True)
    return home


def _get_marker(interpreter: Interpreter) -> Path:
    key = hashlib.sha256(interpreter.path.encode()).hexdigest()[:16]
    return _get_home(interpreter) / f"{key}.needs-server"


def format_install_command(interpreter: Interpreter, requirement: str) -> str:
    """Return the command that installs a distribution for an interpreter, with pip or uv.

    :param interpreter: the interpreter to install for.
    :param requirement: the distribution's name, with a version if needed, quoted for a shell.
    """
    path = Path(interpreter.path)
    if any(path.parent.glob("pip*")):
        return f"{shlex.quote(str(path))} -m pip install {requirement}"
    return f"uv pip install --python {shlex.quote(str(path))} {requirement}"
