"""From nothing: wheels, `mastra new`, `mastra build`, and a server on a bare Python."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from uv import find_uv_bin

from tests.files import find_text

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shop(tmp_path_factory, mastra):
    """A new project's bundle, moved away, its project deleted."""
    root = tmp_path_factory.mktemp("user")
    mastra("new", "shop", cwd=root).ok()
    mastra("build", cwd=root / "shop").ok()
    moved = root / "elsewhere" / "bundle"
    shutil.copytree(root / "shop" / ".mastra", moved)
    shutil.rmtree(root / "shop")
    return moved


def test_the_tests_of_a_new_project_pass(tmp_path, mastra):
    mastra("new", "shop", cwd=tmp_path).ok()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"],
        cwd=tmp_path / "shop",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_a_new_project_is_locked_as_its_readme_says(tmp_path, mastra):
    """Until the first release no index has mastra's packages."""
    variables = {"UV_FIND_LINKS": os.environ["MASTRA_TEST_WHEELS"]}
    done = mastra("new", "shop", cwd=tmp_path, **variables).ok()
    assert "README.md says how" in done.out
    root = tmp_path / "shop"
    commands = (root / "README.md").read_text().rpartition("```\nfor name in")[2]
    assert "export UV_FIND_LINKS=$PWD/wheels" in commands and "packages/$name" in commands
    subprocess.run(
        [find_uv_bin(), "lock", "-q"], cwd=root, env={**os.environ, **variables}, check=True
    )
    mastra("build", "--locked", cwd=root, **variables).ok()
    assert (root / ".mastra/index.py").exists()
    again = mastra("check", "--locked", "--strict", cwd=root, **variables)
    assert again.ok().out


def test_the_printed_commands_work_in_a_path_with_spaces(tmp_path, mastra):
    (tmp_path / "my apps").mkdir()
    for kind in (["app"], ["deployer"]):
        command = mastra("new", *kind, "my apps/fly", cwd=tmp_path).ok().out.splitlines()[1]
        changed = command.partition(" &&")[0]
        subprocess.run(["sh", "-c", changed], cwd=tmp_path, check=True)


def test_new_refuses_a_directory_with_files_and_a_bad_name(tmp_path, mastra):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    mastra("new", "full", cwd=tmp_path).failed(2, "is not empty")
    mastra("new", "no good", cwd=tmp_path).failed(2, "'no good'")
    assert not (tmp_path / "no good").exists()


def test_bundle_serves_without_project_or_environment(shop, serve_directory):
    with serve_directory(shop, python=os.path.realpath(sys.executable)) as client:
        assert client.get("/health").json() == {"success": True}
        answer = client.post("/api/agents/greeter/generate", json={"messages": "Ada"})
        assert answer.json()["text"] == "Hello, Ada!"
        with client.stream("POST", "/api/agents/greeter/stream", json={"messages": "Ada"}) as body:
            lines = [line for line in body.iter_lines() if line]
        assert lines[-1] == "data: [DONE]"


def test_a_workflow_in_the_bundle_suspends_and_resumes(shop, serve_directory):
    with serve_directory(shop) as client:
        order = {"inputData": {"item": "tea", "amount": 60}}
        waiting = client.post("/api/workflows/order/start-async", json=order).json()
        assert waiting["status"] == "suspended"
        done = client.post(
            f"/api/workflows/order/resume-async?runId={waiting['runId']}",
            json={"step": "approve", "resumeData": {"approved": True}},
        ).json()
        assert (done["status"], done["result"]) == ("success", "ordered")


def test_bundle_contains_no_tools_and_no_local_paths(shop):
    names = {path.name for path in (shop / "vendor").iterdir()}
    assert not names & {"mastra_deployer", "uv", "rich", "httpx", "polyfactory", "faker"}
    here = [f"{Path.home()}/", str(shop.parent.parent), sys.prefix]
    assert not [path for path in find_text(shop, *here) if path.suffix != ".so"]


def test_the_output_is_small(shop):
    total = sum(path.stat().st_size for path in shop.rglob("*") if path.is_file())
    assert total < 35_000_000


def test_start_reads_the_env_file_that_is_never_bundled(project, mastra, echo):
    source = "import os\n" + echo.replace("echo: {text}", "{os.environ['GREETING']}")
    config = '[tool.mastra.env]\nrequired = ["GREETING"]\n'
    root = project({"src/mastra/index.py": source, ".env": "GREETING=hullo-from-env\n"}, config)
    mastra("build", cwd=root).ok()
    assert not find_text(root / ".mastra", "hullo-from-env")
    command = [str(Path(sys.executable).with_name("mastra")), "start", "--port", "0"]
    process = subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stderr.readline()
        assert "Serving" in line, line
        import httpx

        url = f"http://127.0.0.1:{line.rsplit(':', 1)[1].strip()}/api/agents/echo/generate"
        answer = httpx.post(url, json={"messages": "x"}, trust_env=False)
        assert answer.json()["text"] == "hullo-from-env"
    finally:
        process.terminate()
        assert process.wait(20) == 0
        process.stderr.close()


def test_start_needs_neither_sources_nor_a_writable_disk(project, mastra, echo):
    root = project({"src/mastra/index.py": echo})
    mastra("build", cwd=root).ok()
    for name in ("src", ".mastra-local"):
        shutil.rmtree(root / name)
    command = [str(Path(sys.executable).with_name("mastra")), "start", "--port", "0"]
    process = subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stderr.readline()
        assert "Serving" in line, line
        assert not (root / ".mastra-local").exists()
    finally:
        process.terminate()
        assert process.wait(20) == 0
        process.stderr.close()
