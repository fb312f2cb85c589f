"""Real-world projects: each builds, starts alone, and responds as its source does.

`tests/projects/NAME/expect.toml` describes a project and its expected responses.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import pytest
from uv import find_uv_bin

from tests.repository import TESTS

pytestmark = pytest.mark.slow

PROJECTS = TESTS / "projects"
NAMES = sorted(path.parent.name for path in PROJECTS.glob("*/expect.toml"))
# One project for each way in which a bundle differs; the others are of the same kinds.
KINDS = ("lazy-modules", "monorepo")
RUNNING = re.compile(r"running on http://127\.0\.0\.1:(\d+)")
# Different in every answer: ids, and times.
VOLATILE = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\dT[\d:.]+Z?|\b\d{13}\b")
# What all projects need, in one environment for their sources.
NEEDED = (
    *("idna==3.7", "starlette", "uvicorn", "fastapi", "sqlalchemy", "django", "whitenoise"),
    *("numpy", "openai-agents", "langgraph"),
)


def run_uv(*arguments, cwd=None, **environment):
    done = subprocess.run(
        [find_uv_bin(), *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "UV_FIND_LINKS": os.environ["MASTRA_TEST_WHEELS"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    """An environment in which every project runs from source."""
    home = tmp_path_factory.mktemp("sources") / "venv"
    run_uv("venv", "--quiet", "--python", sys.executable, home)
    wheels = Path(os.environ["MASTRA_TEST_WHEELS"])
    own = [next(wheels.glob(f"mastra_{name}-*.whl")) for name in ("core", "server")]
    run_uv("pip", "install", "--quiet", "--python", home, *own, *NEEDED)
    return home


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in KINDS else pytest.mark.full) for name in NAMES],
)
def test_bundle_responds_like_its_source(name, mastra, environment, serve_directory, tmp_path):
    house = shutil.copytree(PROJECTS / name, tmp_path / name)
    expected = tomllib.loads((house / "expect.toml").read_text())
    root = house / expected.get("directory", "")
    _prepare(house, root, environment, expected)
    app = ["--app", expected["app"]] if "app" in expected else []
    here = {"VIRTUAL_ENV": str(environment), "UV_FIND_LINKS": os.environ["MASTRA_TEST_WHEELS"]}
    made = mastra("build", "--json", *app, cwd=root, **here).ok()
    assert made.json["notes"] == []
    manifest = json.loads((root / ".mastra/mastra-bundle.json").read_bytes())
    with serve_from_source(root, manifest["entry"], environment) as client:
        from_there = request_all(client, expected)
    bundle = tmp_path / "elsewhere"
    (root / ".mastra").rename(bundle)
    shutil.rmtree(house)  # nothing of the project is there any more
    with serve_directory(bundle) as client:
        assert request_all(client, expected) == from_there


def _prepare(house, root, environment, expected):
    """Do what the project's authors would: lock it, and install it where it is a package."""
    packages = [path.parent for path in house.rglob("pyproject.toml")]
    for package in packages:
        if "[build-system]" in (package / "pyproject.toml").read_text():
            command = ("pip", "install", "--quiet", "--python", environment, "--no-deps")
            run_uv(*command, "-e", package)
    if expected.get("lock") == "uv":
        run_uv("lock", "--quiet", cwd=root)
    if expected.get("lock") == "pylock":
        pins = house / "pins.in"
        pins.write_text("idna==3.7\nmastra-core\n")
        run_uv(
            "pip",
            "compile",
            "--quiet",
            "--format",
            "pylock.toml",
            pins,
            "-o",
            "pylock.toml",
            cwd=root,
        )


def request_all(client, expected):
    responses = []
    for request in expected["request"]:
        method = request.get("method", "GET")
        answer = client.request(method, request["path"], json=request.get("json"))
        assert answer.status_code == 200, answer.text
        assert request["contains"] in answer.text
        responses.append(VOLATILE.sub("*", answer.text))
    return responses


@contextlib.contextmanager
def serve_from_source(root, entry, environment, **variables):
    first = entry.partition(":")[0].partition(".")[0]
    imports = root / "src" if (root / "src" / first).exists() else root
    process = subprocess.Popen(
        [environment / "bin" / "python", TESTS / "deployer/source_server.py", imports, entry],
        cwd=root,
        env={**os.environ, **variables},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        heard = []
        for line in process.stderr:
            heard.append(line)
            if found := RUNNING.search(line):
                break
        else:
            pytest.fail("".join(heard))
        url = f"http://127.0.0.1:{found[1]}"
        with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
            yield client
    finally:
        process.terminate()
        process.communicate(timeout=20)
