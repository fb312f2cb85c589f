"""Full and read-only disks during a build: the error names the path, the old bundle stays."""

import errno
import json
import os
import shutil
import subprocess

import pytest

from mastra_core.pipeline import Bundle
from tests.sample_projects import write_project

pytestmark = pytest.mark.slow

MAIN = "main.py"
APP = "async def app(scope, receive, send): ...\n"
OTHER = APP + "# other\n"
ASGI = ("build", "--app", "main:app")
NEEDS = ("idna",)


class Disk:
    """A small file system that can be filled and made read-only."""

    def __init__(self, root):
        self.root = root
        root.mkdir()
        self._run("mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", str(root))

    def fill(self, free):
        """Leave ``free`` bytes."""
        status = os.statvfs(self.root)
        with (self.root / "filler").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, status.f_bavail * status.f_frsize - free)

    def clear(self):
        (self.root / "filler").unlink()

    def remount(self, mode):
        self._run("mount", "-o", f"remount,{mode}", str(self.root))

    def _run(self, *command):
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("mounting a file system is not allowed here")


@pytest.fixture
def disk(tmp_path):
    made = Disk(tmp_path / "disk")
    yield made
    subprocess.run(["umount", str(made.root)], check=True)


def read_digest(root):
    return json.loads((root / ".mastra/mastra-bundle.json").read_bytes())["digest"]


def measure_size(root):
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


def list_temporary(*places):
    """Return the temporary files and directories below some directories."""
    return [path for place in places for path in place.rglob("*tmp*") if "vendor" not in path.parts]


SHARES = (0, 0.01, 0.3, 0.9, 0.97, 1, 1.02, 1.04, 1.06, 2, 4, 8)


def record_failed_steps(disk, size, build, check_unchanged):
    """Build with more and more of the needed disk space; return the steps at which it failed."""
    failed_steps = set()
    for share in SHARES:
        disk.fill(int(share * size))
        done = build()
        disk.clear()
        if done.code == 0:
            return failed_steps
        done.failed(done.code, str(disk.root), os.strerror(errno.ENOSPC))
        assert done.code in (2, 4)
        check_unchanged()
        failed_steps |= {line.partition("] ")[2] for line in done.err.splitlines() if "s] " in line}
    pytest.fail(f"it never worked: {done.err}")


@pytest.mark.full
def test_full_cache_disk_is_reported(disk, project, mastra):
    """The disk is full while wheels are packed, packages installed, and modules compiled."""
    root = project({MAIN: APP}, dependencies=NEEDS)
    mastra(*ASGI, cwd=root).ok()
    before = read_digest(root)
    (root / MAIN).write_text(OTHER)
    cache = disk.root / "cache"

    def check_unchanged():
        Bundle.load(root / ".mastra")
        assert read_digest(root) == before
        assert not list_temporary(cache, root / ".mastra-local")
        shutil.rmtree(cache)  # the next one begins anew

    def build():
        return mastra(*ASGI, cwd=root, MASTRA_CACHE_DIR=str(cache))

    shutil.rmtree(cache, ignore_errors=True)
    failed_steps = record_failed_steps(
        disk, measure_size(root / ".mastra/vendor"), build, check_unchanged
    )
    assert "Installing dependencies" in failed_steps
    changed = read_digest(root)
    assert changed != before
    # The installed packages stay in the cache, so only the bytecode needs space.
    shutil.rmtree(cache / "bytecode")
    shutil.rmtree(root / ".mastra-local")
    disk.fill(100_000)
    failed = build()
    disk.clear()
    failed.failed(2, "Compiling dependencies", str(disk.root), os.strerror(errno.ENOSPC))
    assert read_digest(root) == changed
    build().ok()


def test_full_project_disk_is_reported(disk, mastra):
    """The disk is full while the app is copied, dependencies are linked and the bundle sealed."""
    root = write_project(disk.root / "app", {MAIN: APP}, dependencies=NEEDS)
    mastra(*ASGI, cwd=root).ok()
    before = read_digest(root)
    (root / MAIN).write_text(OTHER)

    def check_unchanged():
        Bundle.load(root / ".mastra")
        assert read_digest(root) == before
        assert not list_temporary(root / ".mastra-local")

    assert record_failed_steps(
        disk, measure_size(root / ".mastra"), lambda: mastra(*ASGI, cwd=root), check_unchanged
    )
    assert read_digest(root) != before
    assert "Nothing has changed" in mastra(*ASGI, cwd=root).ok().err


def test_unwritable_build_state_causes_a_full_build(project, mastra):
    root = project({MAIN: APP}, dependencies=NEEDS)
    mastra(*ASGI, cwd=root).ok()
    made = root / ".mastra-local/made"
    shutil.rmtree(made)
    made.write_text("in the way")
    (root / MAIN).write_text(OTHER)
    mastra(*ASGI, cwd=root).ok()
    assert "Nothing has changed" not in mastra(*ASGI, cwd=root).ok().err
    assert (root / ".mastra/app" / MAIN).read_text() == OTHER


def test_read_only_cache_is_used_but_not_written(disk, project, mastra, tmp_path):
    """Cached files are used; a missing one is an error that names the cure."""
    here = {"MASTRA_CACHE_DIR": str(disk.root / "cache")}
    root = project({MAIN: APP}, dependencies=NEEDS)
    mastra(*ASGI, cwd=root, **here).ok()
    first = read_digest(root)
    shutil.rmtree(root / ".mastra")
    disk.remount("ro")
    mastra(*ASGI, cwd=root, **here).ok()
    assert read_digest(root) == first
    more = write_project(tmp_path / "m", {MAIN: APP}, dependencies=("sniffio",))
    words = (str(disk.root), "Read-only file system", "MASTRA_CACHE_DIR")
    mastra(*ASGI, cwd=more, **here).failed(2, *words)
    disk.remount("rw")
    mastra(*ASGI, cwd=more, **here).ok()


def test_unwritable_home_is_reported(project, mastra, tmp_path):
    """A file where the home should be stops root too."""
    (tmp_path / "home").write_text("")
    bad = {"HOME": str(tmp_path / "home"), "MASTRA_CACHE_DIR": "", "XDG_CACHE_HOME": ""}
    root = project({MAIN: APP})
    mastra(*ASGI, cwd=root, **bad).failed(2, str(tmp_path / "home"), "MASTRA_CACHE_DIR")


def test_read_only_project_is_reported(disk, mastra):
    root = write_project(disk.root / "app", {MAIN: APP}, dependencies=NEEDS)
    words = (str(root), "Read-only file system", "owner")
    disk.remount("ro")
    mastra(*ASGI, cwd=root).failed(2, *words)
    disk.remount("rw")
    mastra(*ASGI, cwd=root).ok()
    before = read_digest(root)
    disk.remount("ro")
    mastra(*ASGI, cwd=root).failed(2, *words)
    assert read_digest(root) == before
