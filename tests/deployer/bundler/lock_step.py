"""The lock step alone: what a project's files resolve to, without installing anything."""

import subprocess
import tomllib

from uv import find_uv_bin

from mastra_core.pipeline import Platform
from mastra_deployer.bundler.resolve.closure import lock_closure
from mastra_deployer.project.discovery import find_project, with_lock

HERE = Platform(python="3.11", wheels="x86_64-manylinux_2_28")
ARM = Platform(python="3.12", wheels="aarch64-manylinux_2_28")


class Told:
    """A report that remembers."""

    def __init__(self):
        self.steps, self.notes = [], []

    def step(self, text):
        self.steps.append(text)

    def note(self, text, hint=""):
        self.notes.append(f"{text} {hint}")


def lock(root, platform=HERE, *, locked=False, told=None):
    """The closure of the project in ``root``; mastra's own packages stay out."""
    project = find_project(root, "main:app")
    return lock_closure(with_lock(project) if locked else project, platform, (), (), told or Told())


def packages(closure):
    """What it has, by name: versions, or the word for a local project."""
    listed = tomllib.loads(closure.lock.read_text()).get("packages", [])
    return {item["name"]: item.get("version", "local") for item in listed}


def uv(*arguments, cwd):
    """Run uv as the user of a project does."""
    command = [find_uv_bin(), *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def write(root, files):
    """A project whose entry is ``main.py``."""
    for name, text in {"main.py": "app = None\n", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def project_table(dependencies, more="", name="app"):
    """A pyproject.toml."""
    listed = ", ".join(f'"{item}"' for item in dependencies)
    return (
        f'[project]\nname = "{name}"\nversion = "1.2"\nrequires-python = ">=3.11"\n'
        f"dependencies = [{listed}]\n{more}"
    )
