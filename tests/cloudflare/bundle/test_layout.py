"""The modules of a bundle: their names, their content types and their bytes."""

import hashlib
import json

import pytest

from mastra_deployer_cloudflare.bundle.worker_modules import iter_modules, read_worker_config
from tests.conftest import run_mastra

pytestmark = pytest.mark.slow


@pytest.fixture
def modules(worker_bundle):
    return list(iter_modules(worker_bundle, read_worker_config(worker_bundle)))


def test_types_are_those_of_wrangler(modules):
    types = {module.name: module.type for module in modules}
    assert modules[0].name == "_mastra_worker.py"
    for name, kind in types.items():
        if name == "python_modules/workers/workflows.js":
            assert kind == "application/javascript+module"
        elif name.startswith("python_modules/"):
            assert kind == "application/octet-stream", name
        else:
            assert (name.endswith(".py"), kind) == (True, "text/x-python"), name
    assert {"app/main.py", "_mastra_worker_lib/lifespan.py", "python_modules/asgi.py"} <= set(types)


def test_dependencies_are_an_environment_with_the_sdk(worker_bundle):
    vendor = worker_bundle / "modules/python_modules"
    assert (vendor / "pyvenv.cfg").read_bytes() == b""
    assert (vendor / "_workers_sdk_patch_loader.pth").is_file()
    assert list(vendor.glob("workers_runtime_sdk-1.9.5.dist-info"))
    assert not list(worker_bundle.rglob("*.pyc"))


def test_the_runtime_is_fixed(worker_bundle):
    config = json.loads((worker_bundle / "worker.json").read_text())
    assert config == {
        "compatibility_date": "2026-11-17",
        "compatibility_flags": ["python_workers"],
        "handlers": ["fetch", "scheduled"],
        "main": "_mastra_worker.py",
        "types": {},
    }


def test_the_same_inputs_give_the_same_bytes(worker_bundle, tmp_path):
    project = worker_bundle.parent / "app"
    again = tmp_path / "again"
    run_mastra("bundle", "cloudflare", "--app", "main:app", "-o", again, cwd=project).ok()
    assert hash_files(again) == hash_files(worker_bundle)


def hash_files(directory):
    return {
        path.relative_to(directory).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in directory.rglob("*")
        if path.is_file()
    }
