"""Programs that an app starts run from the bundle as they run from the source."""

import io
import os
import shutil
import stat
import subprocess
import tarfile
from pathlib import Path

import httpx
import pytest
from uv import find_uv_bin

from mastra_core.pipeline import Bundle
from mastra_deployer_oci.bundle.image_plan import BLOBS, read_plan
from mastra_deployer_vercel.bundle.build_output import FUNCTION
from mastra_deployer_vercel.deploy.archive import pack_archive
from mastra_deployer_vercel.preview.function_runtime import FunctionRuntime
from tests.deployer.bundler.test_projects import serve_from_source
from tests.deployer.bundler.wheelhouse import write_wheel
from tests.oci.bundle.test_readback import require_root, run_image

pytestmark = pytest.mark.slow

INDEX = "src/mastra/index.py"
EXECUTABLES = ("driver", "converter", "helper", "included")
INTERPRETERS = ("module", "isolated", "stripped", "nested", "named")
SCRIPTS = ("own_script", "direct_script", "local_script", "shell_script")
WORKERS = ("loky", "spawned", "served")
CLIENTS = ("mcp_module", "mcp_script")
ALL = (*EXECUTABLES, *INTERPRETERS, *SCRIPTS, *WORKERS, *CLIENTS)
APP = """\
import os
import pathlib
import subprocess
import sys

import convert
import tooled
from mastra_core import Mastra, tool
from mastra_core.mcp import McpClient
from shop.report import square

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


@tool
def module() -> str:
    \"\"\"Start an interpreter.\"\"\"
    return run(sys.executable, "-m", "shop.report")


@tool
def isolated() -> str:
    \"\"\"Start an isolated interpreter.\"\"\"
    return run(sys.executable, "-I", "-c", "import shop.report; shop.report.main()")


@tool
def stripped() -> str:
    \"\"\"Start an interpreter without variables.\"\"\"
    return subprocess.check_output([sys.executable, "-m", "shop.report"], env={}, text=True)


@tool
def nested() -> str:
    \"\"\"Start an interpreter that starts another one.\"\"\"
    code = "import subprocess, sys; subprocess.run([sys.executable, '-m', 'shop.report'])"
    return run(sys.executable, "-c", code)


@tool
def named() -> str:
    \"\"\"Start the interpreter that is first on PATH.\"\"\"
    return run("python", "-m", "shop.report")


@tool
def own_script() -> str:
    \"\"\"Run a console script of the app.\"\"\"
    return run("shop-report")


@tool
def direct_script() -> str:
    \"\"\"Run a console script of a direct dependency.\"\"\"
    return run("tooled-say", "x")


@tool
def local_script() -> str:
    \"\"\"Run a console script of a local dependency.\"\"\"
    return run("convert-say")


@tool
def shell_script() -> str:
    \"\"\"Run a console script by a shell.\"\"\"
    return run("sh", "-c", "shop-report && tooled-say y")


@tool
def loky() -> list[int]:
    \"\"\"Compute in workers of joblib.\"\"\"
    from joblib import Parallel, delayed
    from joblib.externals.loky import get_reusable_executor

    try:
        return Parallel(n_jobs=2, timeout=60)(delayed(square)(n) for n in range(3))
    finally:
        get_reusable_executor().shutdown(wait=True)


def compute(method: str) -> list[int]:
    import concurrent.futures
    import multiprocessing

    context = multiprocessing.get_context(method)
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        return list(pool.map(square, range(3)))


@tool
def spawned() -> list[int]:
    \"\"\"Compute in spawned processes.\"\"\"
    return compute("spawn")


@tool
def served() -> list[int]:
    \"\"\"Compute in processes of a fork server.\"\"\"
    return compute("forkserver")


async def ask(*command: str) -> str:
    async with McpClient(name="shop", command=command, timeout=60) as client:
        return str(await client.call_tool("price", {}))


@tool
async def mcp_module() -> str:
    \"\"\"Ask a server of the app, started as a module.\"\"\"
    return await ask(sys.executable, "-m", "shop.server")


@tool
async def mcp_script() -> str:
    \"\"\"Ask a server of the app, started as a console script.\"\"\"
    return await ask("shop-mcp")


mastra = Mastra(tools={name: globals()[name] for name in NAMES}, logger=False)
"""
REPORT = """\
import convert


def square(number):
    return number * number


def main():
    print("report of", convert.__name__)


if __name__ == "__main__":
    main()
"""
SERVER = """\
import asyncio

from mastra_core import Mastra, tool
from mastra_core.mcp import serve_stdio


@tool
def price() -> int:
    \"\"\"Return the price.\"\"\"
    return 3


def main():
    asyncio.run(serve_stdio(Mastra(tools={"price": price})))


if __name__ == "__main__":
    main()
"""
PYPROJECT = """\
[project]
name = "shop"
version = "1"
requires-python = ">=3.11"
dependencies = ["mastra-core[mcp]", "mastra-server", "joblib", "tooled", "convert"]

[project.scripts]
shop-report = "shop.report:main"
shop-mcp = "shop.server:main"

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[tool.hatch.build.targets.wheel]
packages = ["src/shop", "src/mastra"]

[tool.uv.sources]
convert = { path = "libs/convert", editable = true }

[tool.mastra.build]
include = ["scripts/*"]
"""
LOCAL = """\
[project]
name = "convert"
version = "1"

[project.scripts]
convert-say = "convert:say"

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
"""
SAY = "import sys\ndef say():\n    print('says', *sys.argv[1:])\n"
PATH_OF = "import os\n{} = os.path.join(os.path.dirname(__file__), {!r})\n"


def write_program(path, name):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\necho "{name} $1"\n')
    path.chmod(0o700)


def write_programs(root):
    """Write a project whose programs come from a wheel, a local dependency and itself."""
    files = {
        INDEX: APP.replace("NAMES", repr(ALL)),
        "src/mastra/notes.txt": "not a program",
        "src/mastra/__init__.py": "",
        "src/shop/__init__.py": "",
        "src/shop/report.py": REPORT,
        "src/shop/server.py": SERVER,
        "libs/convert/src/convert/__init__.py": PATH_OF.format("CONVERTER", "converter") + SAY,
        "libs/convert/pyproject.toml": LOCAL,
        "pyproject.toml": PYPROJECT,
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
    wheel = {
        "tooled/__init__.py": PATH_OF.format("DRIVER", "driver") + SAY,
        "tooled/driver": program,
        "tooled-1.dist-info/entry_points.txt": "[console_scripts]\ntooled-say = tooled:say\n",
    }
    write_wheel(house, "tooled", wheel, executables=("tooled/driver",))
    return house


class Programs:
    """A project, its bundles, and the answers of its source."""

    def __init__(self, root, mastra, python):
        self.root, self.mastra, self.python = root, mastra, python
        house = write_programs(root)
        places = f"{os.environ['MASTRA_TEST_WHEELS']},{house}"
        self.environment = {"UV_FIND_LINKS": places}

    def run(self, *arguments):
        options = ("--python", self.python)
        return self.mastra(*arguments, *options, cwd=self.root, **self.environment).ok()


@pytest.fixture(scope="module")
def programs(tmp_path_factory, mastra, find_python):
    """One version of Python, which every target supports: wheels are compiled once."""
    root = tmp_path_factory.mktemp("programs") / "shop"
    made = Programs(root, mastra, find_python("3.12"))
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


@pytest.fixture(scope="module")
def source_answers(programs, tmp_path_factory):
    """The answers of the app that runs from its source, in an environment where it is installed."""
    home = tmp_path_factory.mktemp("source") / "venv"
    run_uv(programs, "venv", "--quiet", "--python", programs.python, home)
    run_uv(programs, "pip", "install", "--quiet", "--python", home, "-e", programs.root)
    path = f"{home / 'bin'}:{os.environ['PATH']}"
    with serve_from_source(programs.root, "mastra.index:mastra", home, PATH=path) as client:
        return call_tools(client, ALL)


def run_uv(programs, *arguments):
    command = [find_uv_bin(), *map(str, arguments)]
    subprocess.run(command, check=True, env={**os.environ, **programs.environment})


@pytest.fixture(scope="module")
def bundle_answers(programs, source_answers, serve_directory, tmp_path_factory):
    """The answers of a moved bundle; neither its source nor the source's environment is used."""
    bundle = tmp_path_factory.mktemp("moved") / "elsewhere"
    shutil.copytree(programs.root / ".mastra", bundle)
    hidden = programs.root.rename(programs.root.with_name("hidden"))
    try:
        with serve_directory(bundle, programs.python) as client:
            return call_tools(client, ALL)
    finally:
        hidden.rename(programs.root)


@pytest.mark.parametrize("name", ALL)
def test_program_answers_as_from_the_source(source_answers, bundle_answers, name):
    assert "error" not in str(source_answers[name])
    assert bundle_answers[name] == source_answers[name]


def test_executables_are_listed_and_restored(programs, tmp_path):
    """In a copy that lost its modes, as a zip or a download of a CI system."""
    bundle = Bundle.load(programs.root / ".mastra")
    assert {"app/src/mastra/helper", "vendor/tooled/driver"} <= set(bundle.manifest.executables)
    copy = shutil.copytree(bundle.directory, tmp_path / "copy", copy_function=shutil.copyfile)
    assert read_executables(copy) == []
    Bundle.load(copy)
    assert read_executables(copy) == read_executables(bundle.directory)


def test_modes_do_not_depend_on_the_umask(programs):
    modes = {
        stat.S_IMODE(path.stat().st_mode)
        for path in (programs.root / ".mastra").rglob("*")
        if path.is_file()
    }
    assert modes == {0o644, 0o755, 0o444, 0o555}


@pytest.mark.full
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


@pytest.fixture(scope="module")
def function(programs, tmp_path_factory):
    """The function as Vercel unpacks it, and the modes in the uploaded archive."""
    directory = tmp_path_factory.mktemp("vercel")
    programs.run("bundle", "vercel", "-s", "project_name=shop", "-o", directory / "bundle")
    (directory / "parts").mkdir()
    content = b"".join(
        part.file.read_bytes()
        for part in pack_archive(Bundle.load(directory / "bundle"), directory / "parts")
    )
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        archive.extractall(directory / "task", filter="data")
    return directory / "task" / FUNCTION, read_tar_modes(content)


@pytest.fixture(scope="module")
def image(programs, tmp_path_factory):
    """The root of an image without a base, its configuration, and the modes in its layers."""
    directory = tmp_path_factory.mktemp("oci")
    options = ("-s", "image=registry.example/shop", "-s", "base=scratch+python")
    programs.run("bundle", "oci", *options, "-o", directory / "bundle")
    plan = read_plan(directory / "bundle")
    modes = {}
    for layer in plan.layers:
        blob = directory / "bundle" / BLOBS / layer.digest.removeprefix("sha256:")
        with tarfile.open(blob) as archive:
            archive.extractall(directory / "root", filter="fully_trusted")
        modes |= read_tar_modes(blob.read_bytes())
    return directory / "root", plan.config["config"], modes


@pytest.mark.full
def test_archives_keep_executables(function, image):
    names = {"driver", "converter", "helper", "included.sh", "shop-report", "tooled-say"}
    for prefix, found in ((FUNCTION, function[1]), ("app/", image[2])):
        modes = {name: mode for name, mode in found.items() if name.startswith(prefix)}
        assert set(modes.values()) == {0o644, 0o755}
        executables = {Path(name).name for name, mode in modes.items() if mode == 0o755}
        assert names <= executables


@pytest.mark.full
def test_programs_of_a_function(programs, function, source_answers):
    with FunctionRuntime(function[0], programs.python, {}, lambda _: None) as runtime:
        url = f"http://127.0.0.1:{runtime.port}"
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
            assert call_tools(client, ALL) == source_answers


@pytest.mark.full
def test_programs_of_an_image_without_shell_and_writable_disk(image, source_answers):
    """Only /dev/shm is writable, as in a container with a read-only disk."""
    require_root()
    root, config, _ = image
    (root / "tmp").chmod(0o755)
    (root / "dev/shm").mkdir(parents=True)
    (root / "dev/shm").chmod(0o1777)
    names = (*INTERPRETERS, *SCRIPTS[:3], *CLIENTS)
    with run_image(root, config) as client:
        assert call_tools(client, names) == {name: source_answers[name] for name in names}


def test_scripts_run_without_the_launcher(programs, tmp_path):
    """From any directory, through a link, and with the host's packages out of reach."""
    bundle = shutil.copytree(programs.root / ".mastra", tmp_path / "elsewhere")
    (tmp_path / "say").symlink_to(bundle / "bin/tooled-say")
    (tmp_path / "host").mkdir()
    (tmp_path / "host/convert.py").write_text("raise SystemExit('the host')")
    (tmp_path / "python3.12").symlink_to(programs.python)
    variables = {"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHONPATH": str(tmp_path / "host")}
    for command, answer in (
        ([bundle / "bin/shop-report"], "report of convert"),
        (["./bin/tooled-say", "a b"], "says a b"),
        ([tmp_path / "say", "c"], "says c"),
    ):
        done = subprocess.check_output(command, cwd=bundle, env=variables, text=True)
        assert done.strip() == answer
    assert sorted(path.name for path in (bundle / "bin").iterdir() if path.name[0] in "cst") == [
        *("convert-say", "shop-mcp", "shop-report", "tooled-say"),
    ]


def read_tar_modes(content):
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        return {member.name: member.mode for member in archive if member.isfile()}
