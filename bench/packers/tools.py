"""Run pex and shiv on the same app with the same wheels."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from app import App
from environment import Environment, clean_environ, create_environment
from paths import BENCH
from process import time_command

PEX, SHIV = "pex==2.105.2", "shiv==1.0.8"


@dataclasses.dataclass
class Packer:
    """A packer for one app.

    :param name: `pex` or `shiv`, which is also the name of its command.
    :param app: the project that it packs.
    :param environment: where the packer is installed.
    :param wheels: a directory of all wheels that the app needs, so that no build downloads any.
    :param requirements: the app's dependencies, as pip takes them.
    """

    name: str
    app: App
    environment: Environment
    wheels: Path
    requirements: Sequence[str]

    @property
    def output(self) -> Path:
        return self.app.scratch / f"{self.name}-{self.app.name}.pyz"

    def reset(self) -> None:
        """Replace the copy of the project, and remove the packer's caches and its last result."""
        self.app.reset()
        shutil.copy(BENCH / "packers" / "serve.py", self.app.project / "src")
        shutil.rmtree(self._cache, ignore_errors=True)
        self.output.unlink(missing_ok=True)

    def build(self) -> float:
        """Pack the app and return the seconds."""
        tool = self.environment.home / "bin" / self.name
        arguments = self._pex_arguments() if self.name == "pex" else self._shiv_arguments()
        return time_command([tool, *arguments], cwd=self.app.project, env=self.environ())

    def environ(self) -> dict[str, str]:
        """Return the environment variables of the packer and of what it packs."""
        roots = {"PEX_ROOT": str(self._cache), "SHIV_ROOT": str(self._cache)}
        return clean_environ(**roots, XDG_CACHE_HOME=str(self._cache / "cache"))

    @property
    def _cache(self) -> Path:
        return self.app.scratch / f"{self.name}-{self.app.name}-cache"

    def _pex_arguments(self) -> list[str]:
        wheels = ["--no-pypi", "--find-links", str(self.wheels), "--compile"]
        return [*self.requirements, *wheels, "-D", "src", "-m", "serve", "-o", str(self.output)]

    def _shiv_arguments(self) -> list[str]:
        """Return shiv's arguments; the app's code is copied, since shiv packs site-packages."""
        site = self.app.scratch / f"shiv-{self.app.name}-site"
        shutil.rmtree(site, ignore_errors=True)
        shutil.copytree(self.app.project / "src", site)
        wheels = ["--no-index", "--find-links", str(self.wheels)]
        code = ["--site-packages", str(site), "--compile-pyc", "-e", "serve:main"]
        python = ["-p", str(Path(sys.executable).resolve())]
        return [*code, *python, "-o", str(self.output), *wheels, *self.requirements]


def prepare(
    app: App, wheels: dict[str, Path], scratch: Path, packages: Sequence[str], *, quick: bool
) -> list[Packer]:
    """Download the wheels that an app needs, and return both packers for it.

    :param wheels: this project's wheels by package name.
    :param packages: requirements of the app beside mastra's packages; with any, it has agents.
    :param quick: do not compile the packers.
    """
    core = f"mastra-core{'[agents]' if packages else ''}"
    requirements = [core, "mastra-server[serve]", *packages]
    directory = scratch / f"wheels-{app.name}"
    home = scratch / f"packers-{app.name}"
    tools = create_environment(home, [PEX, SHIV, "pip"], compiled=not quick)
    download = ("-m", "pip", "download", "--quiet", "--only-binary", ":all:", "-d", str(directory))
    links = ("--find-links", str(next(iter(wheels.values())).parent))
    command = [tools.python, *download, *links, *requirements]
    time_command(command, cwd=scratch, env=clean_environ())
    return [Packer(name, app, tools, directory, requirements) for name in ("pex", "shiv")]
