"""A build that cannot be started here says what it does not know."""

import sys

import pytest

from mastra_core.pipeline import Build, BundleManifest, Platform
from mastra_deployer.bundler.metadata.inventory import Inventory
from mastra_deployer.bundler.verify.verify import verify_build
from mastra_deployer.project.discovery import find_project
from mastra_deployer.project.interpreters import probe_interpreter
from tests.sample_projects import ECHO, write_project

OTHER = Platform(python="3.11", wheels="s390x-manylinux_2_28")


class RecordingReport:
    def __init__(self):
        self.warnings, self.notes = [], []

    def step(self, text):
        pass

    def warn(self, text, hint=""):
        self.warnings.append(f"{text} {hint}")

    def note(self, text, hint=""):
        self.notes.append(f"{text} {hint}")


@pytest.mark.parametrize("has_python", [True, False])
@pytest.mark.parametrize(
    ("setting", "source", "warned"),
    [
        ("server=Server(port=8099, host='127.0.0.1')", None, "host, port"),
        ("server=Server(port=8099)", {"agents": {}}, ""),
        ("logger=False", None, ""),
    ],
)
def test_settings_of_a_server_that_is_not_started(tmp_path, setting, source, warned, has_python):
    root = write_project(tmp_path, {"src/mastra/index.py": ECHO.replace("logger=False", setting)})
    manifest = BundleManifest(
        app="mastra_asgi:app",
        paths=("app/src", "vendor"),
        python=OTHER.python,
        wheels=OTHER.wheels,
        pure=False,
        kind="mastra",
        entry="mastra.index:mastra",
    )
    build = Build(directory=tmp_path / "build", platform=OTHER, manifest=manifest)
    report, interpreter = RecordingReport(), probe_interpreter(sys.executable)
    inventory = Inventory(app=(), dropped={}, distributions={})
    python = interpreter if has_python else None
    found, start_modules = verify_build(
        find_project(root), build, python, source, None, inventory, report
    )
    assert found.manifest.registry == (
        {"agents": {}, "workflows": {}, "tools": {}} if source else {}
    )
    assert not start_modules.imported
    assert bool(report.warnings) == bool(warned)
    assert warned in "".join(report.warnings)
    assert len(report.notes) == has_python
