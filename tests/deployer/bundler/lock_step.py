"""Run the lock step alone, without installing anything."""

import subprocess
import tomllib

from uv import find_uv_bin

from mastra_core.pipeline import Platform
from mastra_deployer.bundler.resolve.closure import lock_closure
from mastra_deployer.project.discovery import find_project, require_lock

HERE = Platform(python="3.11", wheels="x86_64-manylinux_2_28")
ARM = Platform(python="3.12", wheels="aarch64-manylinux_2_28")


class RecordingReport:
    """A report that records its calls."""

    def __init__(self):
        self.steps, self.notes = [], []

    def step(self, text):
        self.steps.append(text)

    def warn(self, text, hint=""):
        self.note(text, hint)

    def note(self, text, hint=""):
        self.notes.append(f"{text} {hint}")


def lock_project(root, platform=HERE, *, locked=False, report=None):
    """Return the closure of the project in ``root``, without Mastra's own packages."""
    project = find_project(root, "main:app")
    return lock_closure(
        require_lock(project) if locked else project, platform, (), (), report or RecordingReport()
    )


def get_versions(closure):
    """Return the closure's versions by name; a local project is ``local``."""
    items = tomllib.loads(closure.lock.read_text()).get("packages", [])
    return {item["name"]: item.get("version", "local") for item in items}


def run_uv(*arguments, cwd):
    """Run uv as the user of a project does."""
    command = [find_uv_bin(), *arguments]
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def write_project(root, files):
    """Write a project whose entry is ``main.py``."""
    for name, text in {"main.py": "app = None\n", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def format_pyproject(dependencies, more="", name="app"):
    """Return the text of a pyproject.toml."""
    items = ", ".join(f'"{item}"' for item in dependencies)
    return (
        f'[project]\nname = "{name}"\nversion = "1.2"\nrequires-python = ">=3.11"\n'
        f"dependencies = [{items}]\n{more}"
    )
