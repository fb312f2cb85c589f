"""Builds that are killed at any moment, that meet, and that find their caches damaged."""

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


def digest(root):
    return json.loads((root / ".mastra/mastra-bundle.json").read_bytes())["digest"]


def started(root, **environment):
    return subprocess.Popen(
        [MASTRA, *ASGI],
        cwd=root,
        env={**os.environ, **environment},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(process):
    _, heard = process.communicate(timeout=180)
    assert process.returncode == 0, heard
    assert "Traceback" not in heard


def taken(mastra, root):
    """How long a build takes, in seconds."""
    began = time.monotonic()
    mastra(*ASGI, cwd=root).ok()
    return time.monotonic() - began


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MASTRA_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_killed_at_any_moment(project, mastra, cache, serve_directory, tmp_path):
    """Every second kill meets a cold cache; old or new, never half, and nothing piles up."""
    root = project({MAIN: APP}, dependencies=("idna",))
    cold = taken(mastra, root)
    (root / MAIN).write_text(f"{APP}# warm\n")
    warm = taken(mastra, root)
    chance = random.Random(4711)
    (root / "tmp").mkdir()
    stands, killed = digest(root), 0
    for number in range(KILLS):
        (root / MAIN).write_text(f"{APP}# {number}\n")
        if number % 2:
            shutil.rmtree(cache, ignore_errors=True)  # an early kill left none
        process = started(root, TMPDIR=str(root / "tmp"))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0, cold if number % 2 else warm))
        with contextlib.suppress(ProcessLookupError):  # with its children, or without
            (os.killpg if number % 4 < 2 else os.kill)(process.pid, signal.SIGKILL)
        process.stderr.close()
        killed += process.wait() == -signal.SIGKILL
        Bundle.load(root / ".mastra")  # complete, whichever it is
        if digest(root) != stands:
            assert (root / ".mastra/app" / MAIN).read_text().endswith(f"# {number}\n")
        if number % 8 == 7:
            ended(started(root, TMPDIR=str(root / "tmp")))
            assert (root / ".mastra/app" / MAIN).read_text().endswith(f"# {number}\n")
            left = [*cache.glob("*/tmp-*"), *root.glob(".mastra-local/**/tmp-*")]
            assert not left
            assert not list((root / "tmp").glob("mastra-*"))
        stands = digest(root)
    assert killed > KILLS / 2
    print(f"{killed} of {KILLS} were killed")
    with serve_directory(root / ".mastra") as client:
        assert client.get("/").text == "hello"


def test_scratch_of_the_living_stays_and_of_the_dead_goes(tmp_path):
    from mastra_deployer.files.temporary import scratch_directory

    code = (
        "import sys, time\nfrom pathlib import Path\n"
        "from mastra_deployer.files.temporary import scratch_directory\n"
        "with scratch_directory(Path(sys.argv[1])) as scratch:\n"
        "    (scratch / 'file').touch()\n    print(scratch, flush=True)\n    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    places = [Path(process.stdout.readline().strip()) for process in processes]
    processes[0].kill()
    processes[0].wait()
    (tmp_path / "tmp-link").symlink_to(places[1])
    (tmp_path / "tmp-file").write_text("no directory")
    with scratch_directory(tmp_path) as mine:
        assert not places[0].exists()
        assert (places[1] / "file").exists()
        with scratch_directory(tmp_path):
            assert mine.exists()
    assert not mine.exists()
    assert (tmp_path / "tmp-file").exists()
    for process in processes:
        process.kill()
        process.communicate()


GARBAGE = (b"", b"\xff\xfe\x00garbage", b"[]", b"null", b'{"sha256": 7, "value": []}', None)


@pytest.mark.parametrize("garbage", GARBAGE)
def test_damage_of_every_kind(project, mastra, cache, garbage):
    """Every file that mastra keeps for itself, at once; nothing of it is believed."""
    root = project({MAIN: APP}, dependencies=("idna",))
    mastra(*ASGI, cwd=root).ok()
    first = digest(root)
    kept = [path for path in cache.rglob("*") if path.is_file()]
    kept += [path for path in (root / ".mastra-local").rglob("*.[jt]*") if path.is_file()]
    assert {path.suffix for path in kept} >= {".json", ".toml", ".whl", ".pyc", ".py"}
    shutil.rmtree(root / ".mastra")
    for path in kept:
        content = path.read_bytes()
        path.unlink()  # parts are links, and read-only
        path.write_bytes(content[: len(content) // 2] if garbage is None else garbage)
    mastra(*ASGI, cwd=root).ok()
    assert digest(root) == first
    assert "idna/core.py of idna" in mastra(*ASGI, "--explain", "idna.core", cwd=root).ok().out


def test_a_cached_fact_that_was_edited_is_not_believed(project, mastra, cache):
    root = project({MAIN: APP}, dependencies=("idna",))
    mastra(*ASGI, cwd=root).ok()
    first = digest(root)
    shutil.rmtree(root / ".mastra")
    for path in [*cache.rglob("*.json"), *(root / ".mastra-local").rglob("*.json")]:
        path.write_text(path.read_text().replace("idna", "edna"))
    for path in (root / ".mastra-local/locks").glob("*.toml"):
        path.write_text(path.read_text().partition("[[packages]]")[0])
    mastra(*ASGI, cwd=root).ok()
    assert digest(root) == first


def test_damage_is_mended_while_others_link(project, mastra, cache, tmp_path):
    roots = [write_project(tmp_path / name, {MAIN: APP}, dependencies=("idna",)) for name in "abcd"]
    mastra(*ASGI, cwd=roots[0]).ok()
    first = digest(roots[0])
    for _ in range(2):
        for path in cache.glob("parts/*/files/idna/*.py"):
            path.unlink()
            path.write_bytes(b"#")
        for root in roots:
            shutil.rmtree(root / ".mastra", ignore_errors=True)
        for process in [started(root) for root in roots]:
            ended(process)
        assert {digest(root) for root in roots} == {first}
        for root in roots:
            Bundle.load(root / ".mastra")
