"""Builds for Pyodide: resolved for it, with its wheels, and run by it."""

import csv
import hashlib
import json
import subprocess
from base64 import urlsafe_b64encode

import pytest
from packaging.markers import Marker

from mastra_core.errors import BuildError
from mastra_core.pipeline import Platform
from mastra_deployer.bundler.resolve.pyodide import build_pyodide_environment, fit_lock, is_pyodide
from mastra_deployer.code_analysis.native_libraries import find_foreign_libraries
from mastra_deployer.kit import MANYLINUX_X86_64, PYODIDE
from tests import node
from tests.core.storage.d1 import local
from tests.sample_projects import ECHO, write_project

DEPLOYER = """\
import dataclasses
from typing import ClassVar

from mastra_core.hooks import hookimpl
from mastra_core.pipeline import Bundle, Target


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wasm:
    target: ClassVar[str] = "wasm"


@hookimpl
def mastra_target():
    from mastra_deployer.kit import PYODIDE

    return Target(name="wasm", summary="Pyodide", settings=Wasm, platforms=(PYODIDE,))


@hookimpl
def mastra_bundle(build, directory):
    build.copy_to(directory)
    return Bundle.seal(build, directory, "wasm")
"""
CONFIG = '[tool.mastra.targets.wasm]\ndeployer = "./deploy/wasm.py"\n'
RUN = """\
import { loadPyodide } from "pyodide";
const python = await loadPyodide();
python.FS.mkdirTree("/bundle");
python.FS.mount(python.FS.filesystems.NODEFS, { root: process.argv[2] }, "/bundle");
console.log(await python.runPythonAsync(`
import importlib, json, sys

manifest = json.load(open("/bundle/mastra-bundle.json"))
sys.path[:0] = ["/bundle/" + path for path in manifest["paths"]]
module, _, name = manifest["app"].partition(":")
app = getattr(importlib.import_module(module), name)

async def call(path, body):
    sent = []
    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}
    async def send(message):
        sent.append(message)
    headers = [(b"content-type", b"application/json"), (b"host", b"here")]
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST",
             "path": path, "raw_path": path.encode(), "query_string": b"", "headers": headers,
             "scheme": "http", "client": None, "server": ("here", 80), "root_path": "", "state": {}}
    await app(scope, receive, send)
    return sent[0]["status"], json.loads(b"".join(part.get("body", b"") for part in sent[1:]))

import fastapi, langsmith, markupsafe, pydantic_ai.models.openai, pydantic_core, yaml
status, answer = await call("/api/agents/echo/generate", b'{"messages": "hi"}')
json.dumps({
    "python": "%d.%d" % sys.version_info[:2],
    "platform": sys.platform,
    "status": status,
    "text": answer["text"],
    "yaml": yaml.safe_load("a: [1, 2]"),
    "markup": str(markupsafe.escape("<b>")),
})
`));
process.exit(0);
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_project(
        tmp_path_factory.mktemp("wasm"),
        {"src/mastra/index.py": ECHO, "deploy/wasm.py": DEPLOYER},
        CONFIG,
        (
            *("mastra-core[agents]", "mastra-server[serve]", "markupsafe"),
            *("pydantic-ai-slim[openai]", "fastapi[standard]", "langsmith"),
        ),
    )


@pytest.fixture(scope="module")
def bundled(root, mastra):
    return mastra("bundle", "wasm", cwd=root).ok()


@pytest.fixture(scope="module")
def bundle(root, bundled):
    return root / ".mastra-local/bundles/wasm"


@pytest.mark.slow
def test_every_compiled_file_is_for_pyodide(bundle):
    names = {path.name for path in bundle.rglob("*") if path.suffix in (".so", ".pyd", ".pyc")}
    assert not [name for name in names if name.endswith(".pyc")]
    assert any(name.startswith("_pydantic_core.") for name in names)
    assert [*find_foreign_libraries(bundle)] == []


@pytest.mark.slow
def test_markers_of_emscripten_apply(bundle):
    vendored = {path.name.partition("-")[0] for path in bundle.glob("vendor/*.dist-info")}
    assert {"httpx2_jsfetch", "msgspec", "pyyaml", "mastra_server"} <= vendored
    assert not {"httpcore2", "truststore", "uvloop"} & vendored


@pytest.mark.slow
def test_requirements_that_pyodide_does_not_need_do_not_ship(bundle):
    """Neither have most of them a wheel for it. The test in Pyodide imports what requires them."""
    vendored = {path.name.partition("-")[0] for path in bundle.glob("vendor/*.dist-info")}
    assert {"fastapi", "langsmith", "openai", "uvicorn", "idna"} <= vendored
    assert not vendored & {
        *("pluggy", "fastapi_cli", "fastapi_cloud_cli", "fastar", "rignore", "orjson", "zstandard"),
        *("httptools", "tiktoken", "regex", "uvloop", "watchfiles"),
    }


@pytest.mark.slow
def test_record_of_stripped_distributions_matches(bundle):
    for info in bundle.glob("vendor/*.dist-info"):
        for name, digest, size in csv.reader((info / "RECORD").read_text().splitlines()):
            content = (info.parent / name).read_bytes()
            if digest:
                real = urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
                assert (digest, int(size)) == (f"sha256={real}", len(content)), name


@pytest.mark.slow
def test_skipped_start_is_reported(bundled, bundle):
    assert "A bundle for Pyodide has no bytecode" in bundled.err
    manifest = json.loads((bundle / "mastra-bundle.json").read_text())
    assert (manifest["python"], manifest["wheels"]) == ("3.14", "pyemscripten_2026_0_wasm32")
    assert not manifest["pure"]


@pytest.mark.full  # test_reproducible compares the bytes of two builds too
@pytest.mark.slow
def test_the_same_inputs_give_the_same_bytes(root, mastra, tmp_path):
    digests = set()
    for name, cache in (("one", {}), ("two", {"MASTRA_CACHE_DIR": str(tmp_path / "cache")})):
        project = write_project(
            tmp_path / name,
            {path: (root / path).read_text() for path in FILES},
            CONFIG,
            ("mastra-core", "markupsafe"),
        )
        mastra("bundle", "wasm", cwd=project, **cache).ok()
        bundle = project / ".mastra-local/bundles/wasm"
        digests.add(json.loads((bundle / "mastra-bundle.json").read_text())["digest"])
        vendored = {path.name.partition("-")[0] for path in bundle.glob("vendor/*.dist-info")}
        assert "litestar" in vendored and not vendored & {"idna", "httpx", "pluggy"}
    assert len(digests) == 1


FILES = ("src/mastra/index.py", "deploy/wasm.py")


@pytest.mark.full  # tests/cloudflare/preview runs bundles in Pyodide too
@pytest.mark.slow
def test_bundle_runs_in_pyodide(bundle):
    home = node.install_packages("pyodide@314.0.7")
    (home / "run.mjs").write_text(RUN)
    command = [node.find_node(), home / "run.mjs", bundle]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "python": "3.14",
        "platform": "emscripten",
        "status": 200,
        "text": "echo: hi",
        "yaml": {"a": [1, 2]},
        "markup": "&lt;b&gt;",
    }


@pytest.mark.full
@pytest.mark.slow
def test_storage_of_a_bundle_uses_bindings_of_javascript(bundle, tmp_path):
    """The objects are those of a Worker: proxies of a real, local D1 database."""
    assert local.run_in_pyodide(local.SCRIPT, bundle, tmp_path) == {
        "answers": ["1", "3"],
        "takes": ["NotFound", "NotFound", "NotFound", "SuspendedRun"],
        "refused": "The D1 database 'DB' has refused a request: Error: D1_ERROR: no such table: "
        "no: SQLITE_ERROR.",
        "missing": "The storage 'd1:DB' works only in a Cloudflare Worker.",
    }


@pytest.mark.full
@pytest.mark.slow
def test_all_incompatible_packages_are_named(root, mastra, tmp_path):
    write_project(
        tmp_path,
        {path: (root / path).read_text() for path in FILES},
        CONFIG,
        ("mastra-core", "orjson", "tiktoken", "idna"),
    )
    failed = mastra("bundle", "wasm", cwd=tmp_path)
    failed.failed(4, "'orjson' 3.", "'tiktoken' 0.", "UV_EXTRA_INDEX_URL", "CPython")
    assert "idna" not in failed.err


@pytest.mark.slow
def test_a_local_dependency_ships(root, mastra, tmp_path):
    write_project(
        tmp_path / "app",
        {path: (root / path).read_text() for path in FILES},
        CONFIG + '[tool.uv.sources]\nshared = { path = "../shared", editable = true }\n',
        ("mastra-core", "shared"),
    )
    write_project(tmp_path / "shared", {"src/shared/__init__.py": "word = 1\n"})
    (tmp_path / "shared/pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "shared"\nversion = "1.2"\ndependencies = ["idna==3.6"]\n'
    )
    mastra("bundle", "wasm", cwd=tmp_path / "app").ok()
    vendor = tmp_path / "app/.mastra-local/bundles/wasm/vendor"
    assert (vendor / "shared/__init__.py").is_file()
    assert (vendor / "idna-3.6.dist-info").is_dir()


def format_lock(*packages):
    return "\n".join(['lock-version = "1.0"', "", *packages])


def format_package(name, *wheels, marker=""):
    listed = ", ".join(
        f'{{ url = "https://x.example/{wheel}", hashes = {{ sha256 = "{number:064}" }} }}'
        for number, wheel in enumerate(wheels)
    )
    lines = ["[[packages]]", f'name = "{name}"', 'version = "1.0"']
    lines += [f'marker = "{marker}"'] if marker else []
    return "\n".join([*lines, f"wheels = [{listed}]", ""])


WASM = "a-1.0-cp314-cp314-pyemscripten_2026_0_wasm32.whl"
ANY = "a-1.0-py3-none-any.whl"
LINUX = "a-1.0-cp314-cp314-manylinux_2_28_x86_64.whl"
OLD = "a-1.0-cp313-cp313-pyemscripten_2025_0_wasm32.whl"


@pytest.mark.parametrize(
    ("wheels", "chosen"),
    [
        ((ANY, LINUX, WASM), WASM),
        ((LINUX, ANY), ANY),
        ((OLD, LINUX, WASM), WASM),
        (("a-1.0-py2.py3-none-any.whl",), "a-1.0-py2.py3-none-any.whl"),
        (("a-1.0-cp312-abi3-pyemscripten_2026_0_wasm32.whl",), "cp312-abi3"),
    ],
)
def test_most_specific_wheel_is_chosen(tmp_path, wheels, chosen):
    fitted = fit_lock(format_lock(format_package("a", *wheels)), tmp_path, PYODIDE)
    assert chosen in fitted
    assert fitted.count("url = ") == 1


@pytest.mark.parametrize("wheels", [(), (LINUX,), (OLD,), ("a-1.0-cp315-none-any.whl",)])
def test_no_wheel_that_fits_is_an_error(tmp_path, wheels):
    with pytest.raises(BuildError, match=r": 'a' 1\.0\."):
        fit_lock(format_lock(format_package("a", *wheels)), tmp_path, PYODIDE)


def test_packages_with_a_false_marker_are_dropped(tmp_path):
    linux = format_package("a", LINUX, marker="sys_platform != 'emscripten'")
    wasm = format_package("b", ANY.replace("a-", "b-"), marker="sys_platform == 'emscripten'")
    fitted = fit_lock(format_lock(linux, wasm), tmp_path, PYODIDE)
    assert 'name = "a"' not in fitted
    assert 'name = "b"' in fitted
    assert "marker" not in fitted


def test_marker_environment_of_pyodide():
    seen = build_pyodide_environment(PYODIDE)
    assert Marker("sys_platform == 'emscripten' and python_version >= '3.14'").evaluate(seen)
    assert not Marker("platform_system == 'Linux' or os_name == 'nt'").evaluate(seen)
    assert is_pyodide(Platform(python="3.14", wheels="pyemscripten_2026_0_wasm32"))
    assert not is_pyodide(MANYLINUX_X86_64)
