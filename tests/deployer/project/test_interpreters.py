"""Build for another Python, and serve with that Python."""

import json
import shutil

import pytest

from tests.repository import EXAMPLES

pytestmark = pytest.mark.slow

WEATHER = EXAMPLES / "weather"


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
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
