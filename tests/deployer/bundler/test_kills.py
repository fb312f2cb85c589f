"""Builds that are killed, run concurrently, or find their caches damaged."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mastra_core.pipeline import Bundle
from tests.sample_projects import write_project

pytestmark = pytest.mark.slow

MASTRA = str(Path(sys.executable).with_name("mastra"))
MAIN = "main.py"
APP = """\
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})
"""
ASGI = ("build", "--app", "main:app")
KILLS = int(os.environ.get("MASTRA_TEST_KILLS", "8"))


def read_digest(root):
    return json.loads((root / ".mastra/mastra-bundle.json").read_bytes())["digest"]


def start_build(root, **environment):
    return subprocess.Popen(
        [MASTRA, *ASGI],
        cwd=root,
        env={**os.environ, **environment},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_success(process):
    _, heard = process.communicate(timeout=180)
    assert process.returncode == 0, heard
    assert "Traceback" not in heard


def measure_build(mastra, root):
    """Return how many seconds a build takes."""
    began = time.monotonic()
    mastra(*ASGI, cwd=root).ok()
    return time.monotonic() - began


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MASTRA_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.full
def test_killed_build_leaves_a_complete_bundle(project, mastra, cache, serve_directory, tmp_path):
    """Every second build starts with an empty cache; the bundle is the old or the new one."""
    root = project({MAIN: APP}, dependencies=("idna",))
    cold = measure_build(mastra, root)
    (root / MAIN).write_text(f"{APP}# warm\n")
    warm = measure_build(mastra, root)
    chance = random.Random(4711)
    (root / "tmp").mkdir()
    stands, killed = read_digest(root), 0
    for number in range(KILLS):
        (root / MAIN).write_text(f"{APP}# {number}\n")
        if number % 2:
            shutil.rmtree(cache, ignore_errors=True)  # an early kill left none
        process = start_build(root, TMPDIR=str(root / "tmp"))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0, cold if number % 2 else warm))
        with contextlib.suppress(ProcessLookupError):  # with its children, or without
            (os.killpg if number % 4 < 2 else os.kill)(process.pid, signal.SIGKILL)
        process.stderr.close()
        killed += process.wait() == -signal.SIGKILL
        Bundle.load(root / ".mastra")  # complete, whichever it is
        if read_digest(root) != stands:
            assert (root / ".mastra/app" / MAIN).read_text().endswith(f"# {number}\n")
        if number % 8 == 7:
            wait_for_success(start_build(root, TMPDIR=str(root / "tmp")))
            assert (root / ".mastra/app" / MAIN).read_text().endswith(f"# {number}\n")
            left = [*cache.glob("*/tmp-*"), *root.glob(".mastra-local/**/tmp-*")]
            assert not left
            assert not list((root / "tmp").glob("mastra-*"))
        stands = read_digest(root)
    assert killed
    print(f"{killed} of {KILLS} were killed")
    with serve_directory(root / ".mastra") as client:
        assert client.get("/").text == "hello"


def test_only_stale_temporary_directories_are_removed(tmp_path):
    from mastra_deployer.files.temporary import TEMPORARY_PREFIX, temporary_directory

    code = (
        "import sys, time\nfrom pathlib import Path\n"
        "from mastra_deployer.files.temporary import temporary_directory\n"
        "with temporary_directory(Path(sys.argv[1])) as scratch:\n"
        "    (scratch / 'file').touch()\n    print(scratch, flush=True)\n    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    places = [Path(process.stdout.readline().strip()) for process in processes]
    processes[0].kill()
    processes[0].wait()
    (tmp_path / f"{TEMPORARY_PREFIX}link").symlink_to(places[1])
    file = tmp_path / f"{TEMPORARY_PREFIX}file"
    file.write_text("no directory")
    with temporary_directory(tmp_path) as mine:
        assert not places[0].exists()
        assert (places[1] / "file").exists()
        with temporary_directory(tmp_path):
            assert mine.exists()
    assert not mine.exists()
    assert file.exists()
    for process in processes:
        process.kill()
        process.communicate()


SIMILAR_GARBAGE = (b"\xff\xfe\x00garbage", b"[]", b"null", b'{"sha256": 7, "value": []}')


@pytest.mark.parametrize(
    "garbage",
    [None, *(pytest.param(each, marks=pytest.mark.full) for each in (b"", *SIMILAR_GARBAGE))],
)
def test_damaged_state_files_are_rebuilt(project, mastra, cache, garbage):
    """Every state file is damaged at once; none of them is used."""
    root = project({MAIN: APP}, dependencies=("idna",))
    mastra(*ASGI, cwd=root).ok()
    first = read_digest(root)
    kept = [path for path in cache.rglob("*") if path.is_file()]
    kept += [path for path in (root / ".mastra-local").rglob("*.[jt]*") if path.is_file()]
    assert {path.suffix for path in kept} >= {".json", ".toml", ".whl", ".pyc", ".py"}
    shutil.rmtree(root / ".mastra")
    for path in kept:
        content = path.read_bytes()
        path.unlink()  # parts are links, and read-only
        path.write_bytes(content[: len(content) // 2] if garbage is None else garbage)
    mastra(*ASGI, cwd=root).ok()
    assert read_digest(root) == first
    assert "idna/core.py of idna" in mastra(*ASGI, "--explain", "idna.core", cwd=root).ok().out


def test_edited_cache_entry_is_ignored(project, mastra, cache):
    root = project({MAIN: APP}, dependencies=("idna",))
    mastra(*ASGI, cwd=root).ok()
    first = read_digest(root)
    shutil.rmtree(root / ".mastra")
    for path in [*cache.rglob("*.json"), *(root / ".mastra-local").rglob("*.json")]:
        path.write_text(path.read_text().replace("idna", "edna"))
    for path in (root / ".mastra-local/locks").glob("*.toml"):
        path.write_text(path.read_text().partition("[[packages]]")[0])
    mastra(*ASGI, cwd=root).ok()
    assert read_digest(root) == first


@pytest.mark.full
def test_damaged_wheel_is_replaced_during_concurrent_builds(project, mastra, cache, tmp_path):
    roots = [write_project(tmp_path / name, {MAIN: APP}, dependencies=("idna",)) for name in "abcd"]
    mastra(*ASGI, cwd=roots[0]).ok()
    first = read_digest(roots[0])
    for _ in range(2):
        for path in cache.glob("parts/*/files/idna/*.py"):
            path.unlink()
            path.write_bytes(b"#")
        for root in roots:
            shutil.rmtree(root / ".mastra", ignore_errors=True)
        for process in [start_build(root) for root in roots]:
            wait_for_success(process)
        assert {read_digest(root) for root in roots} == {first}
        for root in roots:
            Bundle.load(root / ".mastra")
