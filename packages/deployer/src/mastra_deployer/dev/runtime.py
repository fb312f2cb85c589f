"""What serves the app, for a Python whose environment lacks it."""

from __future__ import annotations

import shlex
from pathlib import Path

from mastra_core.errors import BuildError, ConfigError
from mastra_core.pipeline import Project, Report
from mastra_deployer.project.interpreters import Interpreter

__all__ = ("SERVING", "install_line", "runtime_tree")

# Modules that serve an app; a project need not name the distributions they come from.
SERVING = frozenset(("litestar", "mastra_core", "mastra_server", "msgspec", "uvicorn"))


_SERVER = "mastra-server[serve]"


def runtime_tree(interpreter: Interpreter, report: Report) -> Path:
    """A directory with the server and what it needs, for that Python; made once, then kept.

    It is the tree that a bundle would have, of a project without dependencies of its own.

    :raises ConfigError: when it cannot be made, with the line that installs it instead.
    """
    from mastra_deployer.bundler.resolve.closure import OWN, lock_closure
    from mastra_deployer.bundler.vendor.vendor import vendor
    from mastra_deployer.files.directories import cache_directory, local_directory, publish
    from mastra_deployer.files.lock import build_lock
    from mastra_deployer.files.temporary import scratch_directory

    platform = interpreter.platform
    home = cache_directory("dev") / f"{platform.wheels}-{platform.python}"
    home.mkdir(exist_ok=True)
    nothing = Project(root=home, import_root=home, module="", attribute="", name="dev")
    try:
        with build_lock(local_directory(nothing), report):
            report.step(f"Installing what serves the app for Python {platform.python}, once")
            closure = lock_closure(nothing, platform, (_SERVER,), OWN, report)
            tree = home / f"{closure.fingerprint[:16]}-{interpreter.full}"
            if not tree.exists():
                with scratch_directory(home) as scratch:
                    made = Path(scratch) / "tree"
                    vendor(closure, platform, frozenset(), interpreter, made, home / "-", report)
                    publish(made, tree)
            return tree
    except BuildError as error:
        raise ConfigError(
            f"{interpreter.path!r} has no mastra-server, and it could not be fetched: "
            f"{error.message.partition(chr(10))[0]}",
            f"Install it there: {install_line(interpreter, shlex.quote(_SERVER))}.",
        ) from None


def install_line(interpreter: Interpreter, requirement: str) -> str:
    """The command that installs a distribution for that very Python, whether it has pip or not."""
    path = Path(interpreter.path)
    if any(path.parent.glob("pip*")):
        return f"{shlex.quote(str(path))} -m pip install {requirement}"
    return f"uv pip install --python {shlex.quote(str(path))} {requirement}"
