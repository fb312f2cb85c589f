"""Full and read-only disks under a build: the place is named, the old bundle stands."""

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
    """A small file system that can be filled and protected."""

    def __init__(self, root):
        self.root = root
        root.mkdir()
        self._run("mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", str(root))

    def fill(self, free):
        """Leave ``free`` bytes."""
        status = os.statvfs(self.root)
        with (self.root / "filler").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, status.f_bavail * status.f_frsize - free)

    def empty(self):
        (self.root / "filler").unlink()

    def mode(self, mode):
        self._run("mount", "-o", f"remount,{mode}", str(self.root))

    def _run(self, *command):
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("mounting a file system is not allowed here")


@pytest.fixture
def disk(tmp_path):
    made = Disk(tmp_path / "disk")
    yield made
    subprocess.run(["umount", str(made.root)], check=True)


def digest(root):
    return json.loads((root / ".mastra/mastra-bundle.json").read_bytes())["digest"]


def size(root):
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


def scratch(*places):
    """What temporary files and directories there are below."""
    return [path for place in places for path in place.rglob("*tmp*") if "vendor" not in path.parts]


SHARES = (0, 0.01, 0.3, 0.9, 0.97, 1, 1.02, 1.04, 1.06, 2)


def refused(disk, needed, build, stands):
    """Give ``build`` more and more of the room it needs; where it stopped each time."""
    stopped = set()
    for share in SHARES:
        disk.fill(int(share * needed))
        done = build()
        disk.empty()
        if done.code == 0:
            return stopped
        done.failed(done.code, str(disk.root), os.strerror(errno.ENOSPC))
        assert done.code in (2, 4)
        stands()
        stopped |= {line.partition("] ")[2] for line in done.err.splitlines() if "s] " in line}
    pytest.fail("it never worked")


def test_the_cache_is_full(disk, project, mastra):
    """While wheels are packed, packages installed and parts compiled."""
    root = project({MAIN: APP}, dependencies=NEEDS)
    mastra(*ASGI, cwd=root).ok()
    before = digest(root)
    (root / MAIN).write_text(OTHER)
    cache = disk.root / "cache"

    def stands():
        Bundle.load(root / ".mastra")
        assert digest(root) == before
        assert not scratch(cache, root / ".mastra-local")
        shutil.rmtree(cache)  # the next one begins anew

    def build():
        return mastra(*ASGI, cwd=root, MASTRA_CACHE_DIR=str(cache))

    shutil.rmtree(cache, ignore_errors=True)
    stopped = refused(disk, size(root / ".mastra/vendor"), build, stands)
    assert {"Installing dependencies", "Compiling dependencies"} <= stopped, stopped
    assert digest(root) != before


def test_the_disk_of_the_project_is_full(disk, mastra):
    """While the app is copied, dependencies are laid out, and the bundle is sealed."""
    root = write_project(disk.root / "app", {MAIN: APP}, dependencies=NEEDS)
    mastra(*ASGI, cwd=root).ok()
    before = digest(root)
    (root / MAIN).write_text(OTHER)

    def stands():
        Bundle.load(root / ".mastra")
        assert digest(root) == before
        assert not scratch(root / ".mastra-local")

    assert refused(disk, size(root / ".mastra"), lambda: mastra(*ASGI, cwd=root), stands)
    assert digest(root) != before
    assert "Nothing has changed" in mastra(*ASGI, cwd=root).ok().err


def test_what_cannot_be_remembered_is_built_again(project, mastra):
    root = project({MAIN: APP}, dependencies=NEEDS)
    mastra(*ASGI, cwd=root).ok()
    made = root / ".mastra-local/made"
    shutil.rmtree(made)
    made.write_text("in the way")
    (root / MAIN).write_text(OTHER)
    mastra(*ASGI, cwd=root).ok()
    assert "Nothing has changed" not in mastra(*ASGI, cwd=root).ok().err
    assert (root / ".mastra/app" / MAIN).read_text() == OTHER


def test_a_read_only_cache(disk, project, mastra, tmp_path):
    """What is in it is used; what is not is an error that names the way out."""
    here = {"MASTRA_CACHE_DIR": str(disk.root / "cache")}
    root = project({MAIN: APP}, dependencies=NEEDS)
    mastra(*ASGI, cwd=root, **here).ok()
    first = digest(root)
    shutil.rmtree(root / ".mastra")
    disk.mode("ro")
    mastra(*ASGI, cwd=root, **here).ok()
    assert digest(root) == first
    more = write_project(tmp_path / "m", {MAIN: APP}, dependencies=("sniffio",))
    words = (str(disk.root), "Read-only file system", "MASTRA_CACHE_DIR")
    mastra(*ASGI, cwd=more, **here).failed(2, *words)
    disk.mode("rw")
    mastra(*ASGI, cwd=more, **here).ok()


def test_a_home_that_cannot_be_written(project, mastra, tmp_path):
    """A file where the home should be stops root too."""
    (tmp_path / "home").write_text("")
    bad = {"HOME": str(tmp_path / "home"), "MASTRA_CACHE_DIR": "", "XDG_CACHE_HOME": ""}
    root = project({MAIN: APP})
    mastra(*ASGI, cwd=root, **bad).failed(2, str(tmp_path / "home"), "MASTRA_CACHE_DIR")


def test_a_read_only_project(disk, mastra):
    root = write_project(disk.root / "app", {MAIN: APP}, dependencies=NEEDS)
    words = (str(root), "Read-only file system", "owner")
    disk.mode("ro")
    mastra(*ASGI, cwd=root).failed(2, *words)
    disk.mode("rw")
    mastra(*ASGI, cwd=root).ok()
    before = digest(root)
    disk.mode("ro")
    mastra(*ASGI, cwd=root).failed(2, *words)
    assert digest(root) == before
