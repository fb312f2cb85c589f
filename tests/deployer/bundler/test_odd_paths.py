"""Unusual paths, names, sizes, times and permissions: content decides, and errors name the path."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.deployer.bundler.wheelhouse import write_wheel
from tests.files import read_files
from tests.sample_projects import write_project

pytestmark = pytest.mark.slow

MASTRA = str(Path(sys.executable).with_name("mastra"))
APP = "async def app(scope, receive, send): ...\n"
ASGI = ("build", "--app", "main:app")
SAME = "Nothing has changed"


def read_digest(root):
    return json.loads((root / ".mastra/mastra-bundle.json").read_bytes())["digest"]


def list_shipped(root):
    app = root / ".mastra/app"
    return {path.relative_to(app).as_posix() for path in app.rglob("*") if path.suffix != ".pyc"}


@pytest.mark.parametrize(
    "name",
    [
        "a b 'c' \"d\" $(HOME);&",
        "-100% done #1? über ☃ \u202e",
        *(pytest.param(name, marks=pytest.mark.full) for name in ("-rf", "n" * 255)),
    ],
)
def test_project_path_with_unusual_characters(mastra, tmp_path, name, project):
    config = '[tool.uv.sources]\nlocal = { path = "local" }\n'
    files = {
        "main.py": APP,
        "local/pyproject.toml": '[build-system]\nrequires = ["hatchling"]\n'
        'build-backend = "hatchling.build"\n[project]\nname = "local"\nversion = "1"\n',
        "local/local.py": "",
    }
    names = ("idna", "local")
    root = write_project(tmp_path / name, files, config, dependencies=names)
    mastra(*ASGI, cwd=root).ok()
    assert SAME in mastra(*ASGI, cwd=root).ok().err
    plain = project(files, config, dependencies=names)
    mastra(*ASGI, cwd=plain).ok()
    assert read_digest(root) == read_digest(plain)


def test_longest_possible_project_path(mastra, tmp_path):
    deep = tmp_path.joinpath(*["d" * 200] * 18)
    root = write_project(deep, {"main.py": APP}, dependencies=())
    os.makedirs(root / ("e" * 200), exist_ok=True)
    done = mastra(*ASGI, cwd=root)
    if done.code:
        done.failed(done.code, "ile name too long", "shorter path")


def test_long_and_unusual_file_names(project, mastra):
    names = {"é" * 120, "n" * 252, "Case", "case", "new\nline", "a'b\"c", "%20#x"}
    files = {f"pack/{name}.py": "x = 1\n" for name in names}
    root = project({"main.py": "import pack\n" + APP, "pack/__init__.py": "", **files})
    mastra(*ASGI, cwd=root).ok()
    assert {f"pack/{name}.py" for name in names} <= list_shipped(root)
    assert SAME in mastra(*ASGI, cwd=root).ok().err
    (root / os.fsdecode(b"pack/\xff\xfe.txt")).write_text("x")
    mastra(*ASGI, cwd=root).failed(4, "not UTF-8", "Rename")


def test_links_inside_the_project_are_followed(project, mastra, tmp_path):
    """Links inside the project are followed; those out of it, to nothing or in a circle are not."""
    files = {"main.py": "import pack\n" + APP, "pack/__init__.py": "", "pack/deep/words.txt": "w"}
    root = project(files)
    (root / "pack/near.txt").symlink_to("deep/words.txt")
    (root / "pack/again").symlink_to("deep")
    (root / "pack/nowhere").symlink_to("gone")
    (root / "pack/self").symlink_to("self")
    (root / "pack/deep/up").symlink_to("..")
    mastra(*ASGI, cwd=root).ok()
    assert {"pack/near.txt", "pack/again/words.txt"} <= list_shipped(root)
    assert not any(path.is_symlink() for path in (root / ".mastra").rglob("*"))
    door = tmp_path / "door"
    door.symlink_to(root)
    assert SAME in mastra(*ASGI, "--dir", door, cwd=tmp_path).ok().err
    (root / "pack/out").symlink_to(tmp_path)
    mastra(*ASGI, cwd=root).failed(
        4, "pack/out", "link that points outside of the project", "exclude"
    )


def measure_peak_memory(*arguments, cwd, cache):
    """Return the kilobytes of a command's largest process."""
    code = (
        "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)"
    )
    command = [sys.executable, "-c", code, MASTRA]
    done = subprocess.run(
        [*command, *arguments],
        cwd=cwd,
        env={**os.environ, "MASTRA_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout.splitlines()[-1])


@pytest.mark.full
def test_large_files_are_streamed(project, mastra, tmp_path, monkeypatch):
    """200 MB of data in the app, and as much in a dependency."""
    with (tmp_path / "large.bin").open("wb") as file:
        file.truncate(200_000_000)
    write_wheel(tmp_path / "house", "heavy", {"heavy.bin": tmp_path / "large.bin", "heavy.py": ""})
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "house"))
    monkeypatch.setenv("MASTRA_CACHE_DIR", str(tmp_path / "cache"))
    files = {"main.py": "import pack\n" + APP, "pack/__init__.py": ""}
    root = project(files, dependencies=("heavy",))
    shutil.copyfile(tmp_path / "large.bin", root / "pack/large.bin")
    began = time.monotonic()
    mastra(*ASGI, cwd=root).ok()
    first = time.monotonic() - began
    began = time.monotonic()
    assert SAME in mastra(*ASGI, cwd=root).ok().err
    second = time.monotonic() - began
    shutil.rmtree(root / ".mastra")
    largest = measure_peak_memory(*ASGI, cwd=root, cache=tmp_path / "cold")
    print(f"first {first:.2f} s, unchanged {second:.2f} s, {largest} kB")
    assert largest < 190_000
    with (root / "pack/large.bin").open("r+b") as file:
        file.seek(150_000_000)
        file.write(b"x")
    assert SAME not in mastra(*ASGI, cwd=root).ok().err


@pytest.mark.parametrize(
    "moment",
    [1, *(pytest.param(each, marks=pytest.mark.full) for each in (2**31 - 2, 4_102_444_800))],
)
def test_file_times_are_ignored(project, mastra, moment):
    """Sources and caches have times in 1970, 2038 and 2100."""
    root = project({"main.py": APP}, dependencies=("idna",))
    mastra(*ASGI, cwd=root).ok()
    first = read_digest(root)
    os.utime(root / "main.py", (moment, moment))
    for path in read_files(root / ".mastra-local"):
        os.utime(path, (moment, moment))
    assert SAME in mastra(*ASGI, cwd=root).ok().err
    (root / "main.py").write_text(APP.replace("send)", "sent)"))
    os.utime(root / "main.py", (moment, moment))
    mastra(*ASGI, cwd=root).ok()
    assert read_digest(root) != first
    (root / "main.py").write_text(APP)
    os.utime(root / "main.py", (moment, moment))
    mastra(*ASGI, cwd=root).ok()
    assert read_digest(root) == first


def test_read_only_sources_build(project, mastra):
    root = project({"main.py": "import pack\n" + APP, "pack/__init__.py": ""})
    for path in (root / "pack/__init__.py", root / "main.py", root / "pack"):
        path.chmod(path.stat().st_mode & ~0o222)
    for _ in range(2):
        mastra(*ASGI, cwd=root).ok()
        shutil.rmtree(root / ".mastra")
    (root / "pack").chmod(0o755)


def run_unprivileged(root, *command):
    """Run as a user whom file modes restrict; they do not restrict root."""
    if os.getuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("there is no setpriv")
        command = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", *command)
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("pack/words.txt", 0),
        ("pack/mod.py", 0),
        ("pack", 0),
        ("pack", 0o111),  # files can be opened, but not listed
        ("pack", 0o444),  # files can be listed, but not opened
        ("main.py", 0),
    ],
)
def test_unreadable_file_is_reported(project, name, mode):
    files = {"main.py": "import pack\n" + APP, "pack/__init__.py": ""}
    root = project({**files, "pack/words.txt": "w", "pack/mod.py": ""})
    (root / name).chmod(mode)
    if name == "main.py" and run_unprivileged(root, "cat", str(root / name)).returncode == 0:
        pytest.skip("this user may read everything")
    done = run_unprivileged(root, MASTRA, *ASGI)
    (root / name).chmod(0o755)
    assert done.returncode, done.stderr
    assert "Permission denied" in done.stderr
    assert name in done.stderr
    assert "Traceback" not in done.stderr


def test_files_that_change_during_a_build(project, mastra):
    """The next build notices what has changed since."""
    files = {f"pack/data{number}.txt": "x" for number in range(50)}
    root = project({"main.py": "import pack\n" + APP, "pack/__init__.py": "", **files})
    stop = threading.Event()

    def churn():
        number = 0
        while not stop.is_set():
            number += 1
            path = root / f"pack/data{number % 50}.txt"
            path.unlink()
            (root / "main.py").write_text("import pack\n" + APP + f"# {number}\n")
            path.write_text(str(number))

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(4):
            done = mastra(*ASGI, cwd=root)
            assert "Traceback" not in done.err
            assert "defect of mastra" not in done.err
    finally:
        stop.set()
        thread.join()
    mastra(*ASGI, cwd=root).ok()
    for path in [root / "main.py", *root.glob("pack/*.txt")]:
        assert (root / ".mastra/app" / path.relative_to(root)).read_bytes() == path.read_bytes()
