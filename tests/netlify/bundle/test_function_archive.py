"""The zip of a function: smaller steps where it would be too large."""

import dataclasses
import zipfile

import pytest

from mastra_core.errors import BundleError
from mastra_core.pipeline import SilentReport
from mastra_deployer.kit import ArchiveEntry
from mastra_deployer.testing.sample_app import sample_build
from mastra_deployer_netlify.bundle import function_archive, interpreter_archive
from mastra_deployer_netlify.bundle.function_limits import measure_function
from mastra_deployer_netlify.hooks import mastra_target
from mastra_deployer_netlify.settings import NetlifyDeployer

IMPORTED = "vendor/parrot/__pycache__/y.pyc"
pytestmark = pytest.mark.usefixtures("bootstrap")


class NoteReport(SilentReport):
    def __init__(self):
        self.notes = []

    def note(self, text, hint=""):
        self.notes.append((text, hint))


@pytest.fixture
def write(tmp_path, tiny_interpreter):
    """Write the function of an app with bytecode, and return its names and the notes."""
    (tmp_path / "build").mkdir()
    build = sample_build(tmp_path / "build", mastra_target())
    (build.directory / "vendor/parrot/__pycache__").mkdir()
    (build.directory / "vendor/parrot/__pycache__/x.pyc").write_bytes(b"x" * 200_000)
    (build.directory / IMPORTED).write_bytes(b"x" * 100_000)
    build = dataclasses.replace(build, imported=frozenset([IMPORTED]))
    file = tmp_path / "api.zip"
    base_settings = NetlifyDeployer(project_name="shop", interpreter=str(tiny_interpreter))

    def run(**changes):
        report, settings = NoteReport(), dataclasses.replace(base_settings, **changes)
        function_archive.write_function_archives(build, settings, tmp_path, report)
        with zipfile.ZipFile(file) as archive:
            return archive.namelist(), report.notes, measure_function(file)[1]

    return run


def test_a_function_within_the_limits_has_all_bytecode(write):
    names, notes, _ = write()
    assert "vendor/parrot/__pycache__/x.pyc" in names
    assert notes == []


def test_a_function_over_a_limit_loses_bytecode_step_by_step(write, monkeypatch):
    _, _, size = write()
    monkeypatch.setattr(function_archive, "UNZIPPED", size - 1)
    names, notes, imported_size = write()
    assert size - imported_size == 200_000
    assert IMPORTED in names
    ((text, hint),) = notes
    assert f"{size:,} unzipped" in text and "modules that the app imports" in hint
    monkeypatch.setattr(function_archive, "UNZIPPED", imported_size - 1)
    names, notes, smaller_size = write()
    assert imported_size - smaller_size == 100_000
    assert "vendor/parrot/__init__.py" in names
    bytecode = [name for name in names if name.endswith(".pyc")]
    assert bytecode and all(name.startswith("python/") for name in bytecode)
    assert "only the bytecode of the standard library" in notes[-1][1]
    monkeypatch.setattr(function_archive, "UNZIPPED", smaller_size - 1)
    assert write()[1][-1][1].startswith("It has no bytecode")


def test_the_background_function_differs_in_its_facts_only(write, tmp_path):
    write(background=True)
    contents = {}
    for name in ("api", "api-background"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip") as archive:
            assert len({*archive.namelist()}) == len(archive.namelist())
            contents[name] = {each: archive.read(each) for each in archive.namelist()}
    assert b'"role": "caller"' in contents["api"].pop("mastra.json")
    assert b'"role": "worker"' in contents["api-background"].pop("mastra.json")
    assert contents["api"].pop("api.mjs") == contents["api-background"].pop("api-background.mjs")
    assert contents["api"] == contents["api-background"]


def test_an_app_with_the_name_of_the_launcher_is_refused(write, tmp_path):
    (tmp_path / "build/app/netlify_app_launcher.py").write_text("x = 1\n")
    with pytest.raises(BundleError, match="netlify_app_launcher") as raised:
        write()
    assert raised.value.hint.startswith("Rename the module")


def test_a_loader_that_cannot_start_python_in_a_function_is_refused(write, tmp_path, monkeypatch):
    """glibc before 2.33 has no option for the name of a program."""
    loader = tmp_path / "ld-2.28.so"
    loader.write_bytes(b"\x7fELF --library-path --inhibit-rpath")
    entry = ArchiveEntry(path="lib/ld-linux-x86-64.so.2", source=loader)
    monkeypatch.setattr(interpreter_archive, "_iter_libraries", lambda _: iter([entry]))
    with pytest.raises(BundleError, match=r"older than glibc 2\.33") as raised:
        write()
    assert "Bundle on a newer system" in raised.value.hint
    loader.write_bytes(loader.read_bytes() + b" --argv0")
    assert "lib/ld-linux-x86-64.so.2" in write()[0]
