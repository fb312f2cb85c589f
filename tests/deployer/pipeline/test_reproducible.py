"""The same inputs produce the same bytes; concurrent and interrupted builds."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

INDEX = "src/mastra/index.py"
MASTRA = str(Path(sys.executable).with_name("mastra"))


def read_digest(root):
    return json.loads((root / ".mastra/mastra-bundle.json").read_text())["digest"]


def read_tree(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted((root / ".mastra").rglob("*"))
        if path.is_file()
    }


def test_two_builds_produce_the_same_bytes(project, mastra, echo, tmp_path):
    first = project({INDEX: echo, "src/mastra/data/words.txt": "é\n"})
    second = tmp_path / "another place" / "app"
    shutil.copytree(first, second)
    mastra("build", cwd=first).ok()
    # Another cache, umask, time zone and locale: nothing is shared but uv's own cache.
    other = {"MASTRA_CACHE_DIR": str(tmp_path / "cache"), "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    command = f'umask 077 && "{MASTRA}" build'
    subprocess.run(["sh", "-c", command], cwd=second, env={**os.environ, **other}, check=True)
    assert read_tree(first) == read_tree(second)


def test_digest_changes_only_with_the_app(project, mastra, echo):
    root = project({INDEX: echo})
    mastra("build", cwd=root).ok()
    before = read_digest(root)
    mastra("build", cwd=root).ok()
    assert read_digest(root) == before
    (root / INDEX).write_text(echo.replace("echo:", "other:"))
    mastra("build", cwd=root).ok()
    assert read_digest(root) != before


def test_concurrent_builds_succeed(project, echo):
    root = project({INDEX: echo})
    started = [
        subprocess.Popen([MASTRA, "build"], cwd=root, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    heard = [process.communicate(timeout=120)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], heard
    assert any("Waiting for another build" in text for text in heard)
    assert read_digest(root)


def test_interrupted_replacement_is_repaired(project, mastra, echo, serve_directory):
    root = project({INDEX: echo})
    mastra("build", cwd=root).ok()
    (root / ".mastra").rename(root / "..mastra.mastra-swap")
    mastra("build", cwd=root).ok()
    assert not (root / "..mastra.mastra-swap").exists()
    with serve_directory(root / ".mastra") as client:
        assert client.get("/health").status_code == 200
