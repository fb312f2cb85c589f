"""The applications that are built and served, as fresh copies in the temporary directory."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

from environment import Environment, variables
from places import BENCH, ROOT
from process import run

OPENAI = BENCH / "apps" / "openai"
WEATHER = ROOT / "examples" / "weather"


@dataclasses.dataclass
class App:
    """A project, the environment its dependencies are in, and its agent."""

    name: str
    source: Path
    environment: Environment
    agent: str
    scratch: Path
    provider: str = "openai"
    copies: int = 0

    @property
    def project(self) -> Path:
        return self.scratch / f"{self.name}-{self.copies}"

    @property
    def cache(self) -> Path:
        return self.scratch / f"cache-{self.name}-{self.copies}"

    @property
    def output(self) -> Path:
        return self.project / ".mastra"

    def fresh(self) -> None:
        """A new copy with an empty mastra cache; the one before makes room."""
        shutil.rmtree(self.project, ignore_errors=True)
        shutil.rmtree(self.cache, ignore_errors=True)
        self.copies += 1
        leave = shutil.ignore_patterns(".mastra*", ".venv", "__pycache__", ".env*")
        shutil.copytree(self.source, self.project, ignore=leave)
        settings = self.project / "pyproject.toml"
        text = settings.read_text(encoding="utf-8")
        settings.write_text(text.replace("[openai]", f"[{self.provider}]"), encoding="utf-8")

    def build(self) -> float:
        if not self.copies:
            self.fresh()
        env = variables(MASTRA_CACHE_DIR=str(self.cache))
        os.sync()  # what was written before is not this build's to wait for
        return run([self.environment.mastra, "build"], cwd=self.project, env=env)

    def change(self) -> None:
        """One line more than before."""
        with (self.project / "src" / "mastra" / "index.py").open("a", encoding="utf-8") as file:
            file.write("# one more line\n")

    def built(self) -> Path:
        """The directory of a build, made now if there is none yet."""
        if not self.output.exists():
            self.build()
        return self.output
