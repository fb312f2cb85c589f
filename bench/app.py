"""The applications that are built and served, as fresh copies in the temporary directory."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

from environment import Environment, clean_environ
from paths import BENCH, ROOT
from process import time_command

OPENAI = BENCH / "apps" / "openai"
WEATHER = ROOT / "examples" / "weather"


@dataclasses.dataclass
class App:
    """A project, the environment that builds it, and its agent.

    :param name: prefix of its row keys and of its directories.
    :param source: the project that is copied.
    :param environment: where `mastra` and the project's dependencies are installed.
    :param agent: the key of the agent that answers requests.
    :param scratch: the directory of the copies.
    :param provider: replaces `openai` in the extras of its `pyproject.toml`.
    :param copies: how many copies were made; each gets a new directory.
    """

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

    def reset(self) -> None:
        """Replace the copy by a fresh one with an empty mastra cache."""
        shutil.rmtree(self.project, ignore_errors=True)
        shutil.rmtree(self.cache, ignore_errors=True)
        self.copies += 1
        ignore = shutil.ignore_patterns(".mastra*", ".venv", "__pycache__", ".env*")
        shutil.copytree(self.source, self.project, ignore=ignore)
        settings = self.project / "pyproject.toml"
        text = settings.read_text(encoding="utf-8")
        settings.write_text(text.replace("[openai]", f"[{self.provider}]"), encoding="utf-8")

    def build(self) -> float:
        """Build the copy, made now if there is none, and return the seconds."""
        if not self.copies:
            self.reset()
        env = clean_environ(MASTRA_CACHE_DIR=str(self.cache))
        os.sync()  # earlier writes must not slow this build
        return time_command([self.environment.mastra, "build"], cwd=self.project, env=env)

    def append_line(self) -> None:
        """Change the source by one line."""
        with (self.project / "src" / "mastra" / "index.py").open("a", encoding="utf-8") as file:
            file.write("# one more line\n")

    def ensure_output(self) -> Path:
        """Return the directory of the build, built now if there is none."""
        if not self.output.exists():
            self.build()
        return self.output
