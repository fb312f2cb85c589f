"""Build for another Python, and serve with that Python."""

import dataclasses
import json
import shutil
import sys

import pytest

from mastra_deployer.project.interpreters import parse_glibc, probe_interpreter
from tests.repository import EXAMPLES

pytestmark = pytest.mark.slow

WEATHER = EXAMPLES / "weather"


@pytest.mark.parametrize(
    "version", ["3.13", *(pytest.param(each, marks=pytest.mark.full) for each in ("3.11", "3.12"))]
)
def test_weather_on_each_python(version, tmp_path, mastra, find_python, serve_directory):
    python = find_python(version)
    root = tmp_path / "weather"
    shutil.copytree(WEATHER, root, ignore=shutil.ignore_patterns(".mastra*", "__pycache__"))
    mastra("build", "--python", version, cwd=root).ok()
    bundle = root / ".mastra"
    assert json.loads((bundle / "mastra-bundle.json").read_text())["python"] == version
    tag = f"cpython-{version.replace('.', '')}"
    cached = [path.name for path in (bundle / "vendor").rglob("*.pyc")]
    assert cached and all(tag in name for name in cached)
    with serve_directory(bundle, python=python) as client:
        body = {"messages": "What is it like in Madrid?"}
        answer = client.post("/api/agents/weather/generate", json=body).json()
        assert answer["text"] == "Madrid: 33 degrees, no umbrella needed."
        done = client.post("/api/workflows/trip/start-async", json={"inputData": {"city": "Rome"}})
        assert done.json()["result"] == "Go to Rome any time."


def test_another_platform_is_built_but_not_started(tmp_path, mastra, echo, project):
    root = project({"src/mastra/index.py": echo})
    done = mastra("build", "--platform", "aarch64-manylinux_2_28", cwd=root).ok()
    manifest = json.loads((root / ".mastra" / "mastra-bundle.json").read_text())
    assert manifest["wheels"] == "aarch64-manylinux_2_28"
    names = [path.name for path in (root / ".mastra" / "vendor").rglob("*.so")]
    assert names and all("x86_64" not in name for name in names), names
    assert "was not started" in done.err


@pytest.mark.full
def test_a_build_is_started_where_the_machine_has_its_glibc(mastra, echo, project):
    own = probe_interpreter(sys.executable)
    if not own.glibc:
        pytest.skip("this machine has no glibc")
    machine, root = own.wheels.partition("-")[0], project({"src/mastra/index.py": echo})
    for glibc in (17, own.glibc):
        done = mastra("build", "--platform", f"{machine}-manylinux_2_{glibc}", cwd=root).ok()
        assert "Starting the app in isolation" in done.err and "not started" not in done.err
    newer = f"{machine}-manylinux_2_{own.glibc + 1}"
    done = mastra("build", "--platform", newer, cwd=root).ok()
    assert f"with glibc 2.{own.glibc}. Therefore the app was not started" in done.err


@pytest.mark.parametrize(
    ("wheels", "glibc"),
    [
        ("x86_64-manylinux_2_34", 34),
        ("x86_64-manylinux2014", 17),
        ("x86_64-unknown-linux-gnu", 28),
        ("x86_64-unknown-linux-musl", 0),
        ("aarch64-apple-darwin", 0),
    ],
)
def test_platforms_name_the_glibc_they_need(wheels, glibc):
    assert parse_glibc(wheels) == glibc


def test_only_the_same_machine_with_a_glibc_as_new_can_run_wheels():
    own = probe_interpreter(sys.executable)
    python = dataclasses.replace(own, wheels="x86_64-manylinux_2_28", glibc=34)
    assert all(map(python.can_run, ("x86_64-manylinux_2_34", "x86_64-manylinux2014")))
    others = ("x86_64-manylinux_2_35", "aarch64-manylinux_2_28", "x86_64-unknown-linux-musl")
    assert not any(map(python.can_run, others))
    musl = dataclasses.replace(own, wheels="x86_64-unknown-linux-musl", glibc=0)
    assert musl.can_run("x86_64-unknown-linux-musl") and not musl.can_run("x86_64-manylinux_2_28")
