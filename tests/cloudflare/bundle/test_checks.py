"""What the check finds without running the app."""

import msgspec
import pytest

from mastra_core.pipeline import Build, Bundle, BundleManifest, Platform
from mastra_deployer_cloudflare import CloudflareDeployer
from mastra_deployer_cloudflare.bundle.checks import check_build, inspect_bundle
from mastra_deployer_cloudflare.bundle.worker_modules import WorkerConfig, write_worker_config

_MANIFEST = BundleManifest(
    app="main:app",
    paths=("app", "vendor"),
    python="3.14",
    wheels="pyemscripten_2026_0_wasm32",
    entry="main:app",
    optional=("TOKEN",),
    sizes={"app": 1_000, "large": 50_000_000},
)


@pytest.fixture
def build(tmp_path):
    for name in ("app/main.py", "vendor/yaml/__init__.py", "vendor/six.py", "app/data/x.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return Build(directory=tmp_path, platform=Platform(), manifest=_MANIFEST)


def find_problems(build, **settings):
    return list(check_build(build, CloudflareDeployer(project_name="shop", **settings)))


def test_an_honest_app_has_no_problem(build):
    assert find_problems(build, d1={"DB": "x"}, kv={"CACHE": "y"}, vars={"TOKEN": "z"}) == []


@pytest.mark.parametrize(
    ("name", "severity"),
    [("_mastra_worker.py", "error"), ("six.py", "warning"), ("yaml/__init__.py", "warning")],
)
def test_a_module_that_exists_twice_is_found(build, name, severity):
    path = build.directory / "app" / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    (problem,) = find_problems(build)
    assert problem.severity == severity
    assert repr(name.partition("/")[0].removesuffix(".py")) in problem.message
    assert "Rename the module" in problem.hint


@pytest.mark.parametrize("setting", [{"d1": {"TOKEN": "x"}}, {"ai": "TOKEN"}])
def test_a_binding_with_the_name_of_a_variable_is_found(build, setting):
    (problem,) = find_problems(build, **setting)
    assert f"'TOKEN' is a variable of the app, and a binding in {next(iter(setting))}" in (
        problem.message
    )


@pytest.mark.parametrize(
    ("size", "severities"), [(40 << 20, []), (46 << 20, ["warning"]), (65 << 20, ["error"])]
)
def test_a_large_bundle_is_reported_with_its_largest_parts(tmp_path, size, severities):
    directory = tmp_path / "bundle"
    (directory / "modules").mkdir(parents=True)
    (directory / "modules/_mastra_worker.py").touch()
    with (directory / "modules/large").open("wb") as file:
        file.truncate(size)
    write_worker_config(directory, WorkerConfig(main="_mastra_worker.py", compatibility_date="x"))
    manifest = msgspec.structs.replace(_MANIFEST, target="cloudflare")
    problems = list(inspect_bundle(Bundle(directory=directory, manifest=manifest)))
    assert [problem.severity for problem in problems] == severities
    assert all("large 50.0 MB" in problem.hint for problem in problems)
    reported = msgspec.structs.replace(manifest, sizes={"large": 65 << 20})
    assert not [*inspect_bundle(Bundle(directory=directory, manifest=reported))]


def test_a_damaged_bundle_is_found(tmp_path):
    (problem,) = inspect_bundle(Bundle(directory=tmp_path, manifest=_MANIFEST))
    assert "worker.json in the bundle is missing" in problem.message


CODE = {
    "import os\nKEY = os.environ['KEY']": ("warning", "os.environ['KEY'] is read while"),
    "import uuid\nID = uuid.uuid4()": ("error", "uuid.uuid4 runs while"),
    "import asyncio\nLOCK = asyncio.Lock()": ("warning", "asyncio.Lock is created while"),
    "import threading\ndef run():\n    threading.Thread().start()": (
        "warning",
        "threading.Thread needs threads",
    ),
    "import requests": ("warning", "requests opens TLS connections"),
}


@pytest.mark.parametrize("code", CODE)
def test_code_that_breaks_a_rule_of_workers_is_found(build, code):
    (build.directory / "app/main.py").write_text(f"{code}\n")
    (problem,) = find_problems(build)
    severity, message = CODE[code]
    assert (problem.severity, problem.where) == (severity, f"main.py:{code.count(chr(10)) + 1}")
    assert message in problem.message
    assert problem.hint


def test_rules_of_the_import_do_not_hold_at_a_request(build):
    code = "import os, uuid\nKEY, ID = os.environ['KEY'], uuid.uuid4()\n"
    (build.directory / "app/main.py").write_text(code)
    assert len(find_problems(build)) == 2
    assert find_problems(build, build_app="request") == []


def test_a_library_for_another_machine_is_found(build):
    (build.directory / "vendor/fast.so").write_bytes(b"\x7fELF")
    (build.directory / "vendor/good.so").write_bytes(b"\0asm")
    (problem,) = find_problems(build)
    assert "vendor/fast.so is not compiled for WebAssembly" in problem.message
