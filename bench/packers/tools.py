"""pex and shiv, each told to pack the same app from the same wheels."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import environment
from app import App
from environment import Environment, create, variables
from places import BENCH
from process import run

PEX, SHIV = "pex==2.105.2", "shiv==1.0.8"


@dataclasses.dataclass
class Packer:
    """A packer, an app, and where its results go.

    :param house: wheels of everything the app needs: nothing is downloaded while measuring.
    """

    name: str
    app: App
    environment: Environment
    house: Path
    requirements: Sequence[str]

    @property
    def output(self) -> Path:
        return self.app.scratch / f"{self.name}-{self.app.name}.pyz"

    def fresh(self) -> None:
        """A new copy of the project, and none of what the packer keeps."""
        self.app.fresh()
        shutil.copy(BENCH / "packers" / "serve.py", self.app.project / "src")
        shutil.rmtree(self._kept, ignore_errors=True)
        self.output.unlink(missing_ok=True)

    def build(self) -> float:
        tool = self.environment.home / "bin" / self.name
        arguments = self._pex() if self.name == "pex" else self._shiv()
        return run([tool, *arguments], cwd=self.app.project, env=self.variables())

    def variables(self, **more: str) -> dict[str, str]:
        homes = {"PEX_ROOT": str(self._kept), "SHIV_ROOT": str(self._kept)}
        return variables(**homes, **more, XDG_CACHE_HOME=str(self._kept / "cache"))

    @property
    def _kept(self) -> Path:
        return self.app.scratch / f"{self.name}-{self.app.name}-kept"

    def _pex(self) -> list[str]:
        wheels = ["--no-pypi", "--find-links", str(self.house), "--compile"]
        return [*self.requirements, *wheels, "-D", "src", "-m", "serve", "-o", str(self.output)]

    def _shiv(self) -> list[str]:
        """It packs what pip installs, so the app's own code comes from a directory."""
        site = self.app.scratch / f"shiv-{self.app.name}-site"
        shutil.rmtree(site, ignore_errors=True)
        shutil.copytree(self.app.project / "src", site)
        wheels = ["--no-index", "--find-links", str(self.house)]
        packed = ["--site-packages", str(site), "--compile-pyc", "-e", "serve:main"]
        python = ["-p", str(Path(sys.executable).resolve())]
        return [*packed, *python, "-o", str(self.output), *wheels, *self.requirements]


def prepare(app: App, wheels: dict[str, Path], scratch: Path, more: Sequence[str]) -> list[Packer]:
    """Both packers for an app; the wheels it needs are fetched first."""
    core = f"mastra-core{'[agents]' if more else ''}"
    requirements = [core, "mastra-server[serve]", *more]
    house = scratch / f"house-{app.name}"
    tools = create(scratch / f"packers-{app.name}", [PEX, SHIV, "pip"])
    fetch = ("-m", "pip", "download", "--quiet", "--only-binary", ":all:", "-d", str(house))
    own = ("--find-links", str(next(iter(wheels.values())).parent))
    run([tools.python, *fetch, *own, *requirements], cwd=scratch, env=environment.variables())
    return [Packer(name, app, tools, house, requirements) for name in ("pex", "shiv")]
