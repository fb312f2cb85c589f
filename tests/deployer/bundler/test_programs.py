"""Programs that an app starts run from the bundle as they run from the source."""

import io
import os
import shutil
import stat
import tarfile
from pathlib import Path

import pytest

from mastra_core.errors import BundleError
from mastra_core.pipeline import Bundle
from mastra_deployer_vercel.bundle.build_output import FUNCTION
from mastra_deployer_vercel.deploy.archive import pack_archive
from tests.deployer.bundler.wheelhouse import write_wheel

pytestmark = pytest.mark.slow

INDEX = "src/mastra/index.py"
EXECUTABLES = ("driver", "converter", "helper", "included")
APP = """\
import pathlib
import subprocess

import convert
import tooled
from mastra_core import Mastra, tool

HERE = pathlib.Path(__file__).parent


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@tool
def driver() -> str:
    \"\"\"Run an executable of a wheel.\"\"\"
    return run(tooled.DRIVER, "a")


@tool
def converter() -> str:
    \"\"\"Run an executable of a local dependency.\"\"\"
    return run(convert.CONVERTER, "b")


@tool
def helper() -> str:
    \"\"\"Run an executable beside the app's code.\"\"\"
    return run(HERE / "helper", "c")


@tool
def included() -> str:
    \"\"\"Run an executable that is included by its name.\"\"\"
    return run(HERE.parents[1] / "scripts/included.sh", "d")


mastra = Mastra(
    tools={"driver": driver, "converter": converter, "helper": helper, "included": included}
)
"""
PATH_OF = "import os\n{} = os.path.join(os.path.dirname(__file__), {!r})\n"


def write_program(path, name):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\necho "{name} $1"\n')
    path.chmod(0o700)


def write_programs(root):
    """Write a project whose executables come from a wheel, a local dependency and itself."""
    files = {
        INDEX: APP,
        "src/mastra/notes.txt": "not a program",
        "libs/convert/src/convert/__init__.py": PATH_OF.format("CONVERTER", "converter"),
        "libs/convert/pyproject.toml": '[project]\nname = "convert"\nversion = "1"\n'
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n',
        "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\n'
        'dependencies = ["mastra-core", "tooled", "convert"]\n'
        '[tool.uv.sources]\nconvert = { path = "libs/convert", editable = true }\n'
        '[tool.mastra.build]\ninclude = ["scripts/*"]\n',
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    write_program(root / "libs/convert/src/convert/converter", "converter")
    write_program(root / "src/mastra/helper", "helper")
    write_program(root / "scripts/included.sh", "included")
    house = root.parent / "house"
    program = '#!/bin/sh\necho "driver $1"\n'
    wheel = {"tooled/__init__.py": PATH_OF.format("DRIVER", "driver"), "tooled/driver": program}
    write_wheel(house, "tooled", wheel, executables=("tooled/driver",))
    return house


class Programs:
    """A project, its bundles, and the answers of its source."""

    def __init__(self, root, mastra):
        self.root, self.mastra = root, mastra
        house = write_programs(root)
        places = f"{os.environ['MASTRA_TEST_WHEELS']},{house}"
        self.environment = {"UV_FIND_LINKS": places}

    def run(self, *arguments, **environment):
        return self.mastra(*arguments, cwd=self.root, **self.environment, **environment).ok()


@pytest.fixture(scope="module")
def programs(tmp_path_factory, mastra):
    made = Programs(tmp_path_factory.mktemp("programs") / "shop", mastra)
    made.run("build")
    return made


def call_tools(client, names):
    return {
        name: client.post(f"/api/tools/{name}/execute", json={"data": {}}).json() for name in names
    }


def read_executables(directory):
    return sorted(
        path.name
        for path in directory.rglob("*")
        if path.is_file() and path.stat().st_mode & stat.S_IXUSR
    )


def test_executables_run_from_a_moved_bundle(programs, serve_directory, tmp_path):
    bundle = shutil.copytree(programs.root / ".mastra", tmp_path / "elsewhere")
    with serve_directory(bundle) as client:
        answers = call_tools(client, EXECUTABLES)
    assert answers == {
        "driver": "driver a", "converter": "converter b", "helper": "helper c",
        "included": "included d",
    }  # fmt: skip


def test_executables_are_listed_and_checked(programs, tmp_path):
    """A copy that lost its modes, as a zip or a download of a CI system, is refused."""
    bundle = Bundle.load(programs.root / ".mastra")
    assert {"app/src/mastra/helper", "vendor/tooled/driver"} <= set(bundle.manifest.executables)
    copy = shutil.copytree(bundle.directory, tmp_path / "copy", copy_function=shutil.copyfile)
    with pytest.raises(BundleError, match="executable bit"):
        Bundle.load(copy)


def test_modes_do_not_depend_on_the_umask(programs):
    modes = {
        stat.S_IMODE(path.stat().st_mode)
        for path in (programs.root / ".mastra").rglob("*")
        if path.is_file()
    }
    assert modes == {0o644, 0o755, 0o444, 0o555}


def test_changed_executable_bit_causes_a_build(programs):
    """Also where contents and times are the same, and for a damaged bundle or cache."""
    helper, built = programs.root / "src/mastra/helper", programs.root / ".mastra"
    helper.chmod(0o644)
    assert "Nothing has changed" not in programs.run("build").err
    assert "helper" not in read_executables(built)
    helper.chmod(0o755)
    programs.run("build")
    assert "helper" in read_executables(built)
    (built / "vendor/tooled/driver").chmod(0o444)  # a hard link to the cache
    assert "Nothing has changed" not in programs.run("build").err
    assert {"driver", "helper"} <= set(read_executables(built))


def test_other_targets_keep_executables(programs, tmp_path):
    names = {"driver", "converter", "helper", "included.sh"}
    image = ("-s", "image=registry.example/shop", "-s", "base=registry.example/python:3")
    programs.run("bundle", "oci", *image, "-o", tmp_path / "oci")
    modes = {}
    for blob in (tmp_path / "oci/blobs/sha256").iterdir():
        if blob.read_bytes()[:2] == b"\x1f\x8b":
            modes |= read_tar_modes(blob.read_bytes())
    assert set(modes.values()) == {0o644, 0o755}
    assert names <= {Path(name).name for name, mode in modes.items() if mode == 0o755}
    programs.run("bundle", "vercel", "-s", "project_name=shop", "-o", tmp_path / "vercel")
    parts = tmp_path / "parts"
    parts.mkdir()
    content = b"".join(
        part.file.read_bytes() for part in pack_archive(Bundle.load(tmp_path / "vercel"), parts)
    )
    modes = read_tar_modes(content)
    assert set(modes.values()) == {0o644, 0o755}
    assert names <= {
        Path(name).name
        for name, mode in modes.items()
        if mode == 0o755 and name.startswith(FUNCTION)
    }


def read_tar_modes(content):
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        return {member.name: member.mode for member in archive if member.isfile()}
