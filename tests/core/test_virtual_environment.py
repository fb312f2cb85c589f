"""The processes that an app starts import what the app imports, and nothing of the machine."""

import errno
import fcntl
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest

from mastra_core import launcher, virtual_environment

# The app runs the code of CODE with `run`, and prints its `result`.
APP = """\
import json, os, subprocess, sys


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    return done.stdout.strip() or done.stderr.strip()


if __name__ == "main":
    result = None
    exec(os.environ["CODE"])
    print("RESULT" + json.dumps(result), file=sys.stderr)


async def app(scope, receive, send):
    pass
"""
WORDS = "import dep\nprint(__name__, dep.WORD)\ndef double(n):\n    return dep.WORD * n\n"
FIND = "import importlib.util as u; print([n for n in ('words', 'dep', 'linked', 'host', 'pip') if u.find_spec(n)])"
HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"


def write_bundle(directory):
    """Write a bundle by hand: an app, a dependency with a .pth file, and the launcher."""
    manifest = {
        "app": "main:app", "paths": ["app", "vendor"], "python": HERE, "wheels": "any",
        "pure": True, "kind": "asgi", "entry": "main:app", "required": [],
        "serve": {"host": "127.0.0.1", "port": 0, "drain": 1, "single_process": False},
    }  # fmt: skip
    for name, text in {
        "app/main.py": APP,
        "app/words.py": WORDS,
        "vendor/dep.py": "WORD = 'word'\n",
        "vendor/linked.pth": "more\n",
        "vendor/more/linked.py": "",
        "mastra-bundle.json": json.dumps(manifest),
        "bin/say": "#!/bin/sh\necho said\n",
    }.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (directory / "bin/say").chmod(0o755)
    shutil.copy(launcher.__file__, directory / "index.py")
    shutil.copy(virtual_environment.__file__, directory / "app/mastra_venv.py")
    return directory


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A bundle whose path has characters that paths rarely have."""
    return write_bundle(tmp_path_factory.mktemp("it's ä bundle"))


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """Variables of a host that offers packages in each way that it can."""
    home = tmp_path_factory.mktemp("host")
    library = home / f"lib/python{HERE}/site-packages"
    library.mkdir(parents=True)
    for name in ("host.py", "usercustomize.py", "sitecustomize.py"):
        (library / name).write_text("print('the host')\n")
    return {"PYTHONPATH": str(library), "PYTHONUSERBASE": str(home)}


def start(bundle, code, *, python=(sys.executable,), temporary, **environment):
    values = {"PATH": os.environ["PATH"], "TMPDIR": str(temporary), "CODE": code, **environment}
    return subprocess.Popen(
        [*python, bundle / "index.py", "--check"],
        env=values, cwd="/", text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def run(bundle, code, **options):
    out, err = start(bundle, code, **options).communicate(timeout=60)
    assert json.loads(out)["ok"], (out, err)
    return json.loads(err.partition("RESULT")[2].partition("\n")[0])


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("run(sys.executable, '-m', 'words')", "__main__ word"),
        ("run(sys.executable, '-c', 'import words')", "words word"),
        ("run(sys.executable, '-I', '-c', 'import words')", "words word"),
        ("run(sys.executable, '-P', '-m', 'words', cwd='/')", "__main__ word"),
        ("run(sys.executable, '-m', 'words', env={})", "__main__ word"),
        ("run('python', '-m', 'words')", "__main__ word"),
        ("run('python3', '-m', 'words')", "__main__ word"),
        (f"run('python{HERE}', '-m', 'words')", "__main__ word"),
        ("run('python -m words', shell=True)", "__main__ word"),
        ("run('say')", "said"),
        (f"run(sys.executable, '-c', {FIND!r})", "['words', 'dep', 'linked']"),
        (f"run(sys.executable, '-I', '-c', {FIND!r})", "['words', 'dep', 'linked']"),
        (
            "run(sys.executable, '-c', 'import subprocess as s, sys;"
            ' s.run([sys.executable, "-m", "words"], env={})\')',
            "__main__ word",
        ),
    ],
)
def test_children_import_the_bundle_and_nothing_of_the_host(bundle, host, tmp_path, code, result):
    assert run(bundle, f"result = {code}", temporary=tmp_path, **host) == result
    assert not list(tmp_path.iterdir()), "the environment was not removed"


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_multiprocessing(bundle, host, tmp_path, method):
    code = f"""
import concurrent.futures, multiprocessing, words
with concurrent.futures.ProcessPoolExecutor(
    2, mp_context=multiprocessing.get_context({method!r})
) as pool:
    result = list(pool.map(words.double, [1, 2]))
"""
    assert run(bundle, code, temporary=tmp_path, **host) == ["word", "wordword"]


LOADER = Path("/lib64/ld-linux-x86-64.so.2")


@pytest.mark.skipif(not LOADER.exists(), reason="a loader of glibc for x86_64 is needed")
@pytest.mark.parametrize(
    "command",
    [
        "sys.executable, '-c', CODE",
        "sys.executable, '-I', '-c', CODE",
        "'python3', '-c', CODE",
        "sys.executable, '-c', f'import subprocess, sys; subprocess.run([sys.executable, {\"-c\"!r}, {CODE!r}])'",
        "'run-python'",
    ],
)
def test_children_are_started_by_the_loader_that_started_the_app(bundle, tmp_path, command):
    """A bundle that carries its loader and its libraries relies on no library of the host."""
    code = "import os, words; print(os.readlink('/proc/self/exe'))"
    (bundle / "bin/run-python").write_text(f'#!/bin/sh\npython3 -c "{code}"\n')
    (bundle / "bin/run-python").chmod(0o755)
    loader = tmp_path / "it's a loader/ld-own.so.2"
    loader.parent.mkdir()
    shutil.copy(LOADER, loader)
    base = sys._base_executable
    python = [loader, "--library-path", tmp_path / "none", "--argv0", base, base]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    answer = run(
        bundle, f"CODE = {code!r}; result = run({command})", python=python, temporary=temporary
    )
    assert answer == f"words word\n{loader}"
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("name", ["share", "etc"])
def test_data_files_of_wheels_are_below_the_prefix(bundle, tmp_path, name):
    """Libraries such as Jupyter's look for their extensions there."""
    directory = bundle / "vendor" / name
    (directory / "kit").mkdir(parents=True)
    (directory / "kit/word.txt").write_text("found")
    code = f"import sys; print(open(sys.prefix + '/{name}/kit/word.txt').read())"
    here = f"open(sys.prefix + '/{name}/kit/word.txt').read()"
    try:
        answer = run(
            bundle, f"result = [{here}, run(sys.executable, '-I', '-c', {code!r})]",
            temporary=tmp_path,
        )  # fmt: skip
    finally:
        shutil.rmtree(directory)
    assert answer == ["found", "found"]
    assert not list(tmp_path.iterdir())


def test_the_server_has_the_prefix_of_its_children(bundle, tmp_path):
    code = "result = [sys.prefix, run(sys.executable, '-c', 'import sys; print(sys.prefix)')]"
    own, child = run(bundle, code, temporary=tmp_path)
    assert own == child
    assert Path(own).parent == tmp_path


def test_scripts_run_without_their_executable_bits(bundle, tmp_path):
    script = bundle / "bin/lost"
    script.write_text("import sys, words; print(sys.argv[1:])\n")
    try:
        answer = run(bundle, "result = run('lost', 'a b', env={**os.environ})", temporary=tmp_path)
    finally:
        script.unlink()
    assert answer == "words word\n['a b']"
    assert not list(tmp_path.iterdir())


def test_other_programs_get_only_path(bundle, tmp_path):
    code = "result = [run('env'), dict(os.environ)['PATH'], sys.executable]"
    printed, path, python = run(bundle, code, temporary=tmp_path, LANG="C")
    variables = dict(line.split("=", 1) for line in printed.splitlines())
    assert {name for name in variables if "PYTHON" in name} == set()
    environment = Path(python).parents[1]
    added = f"{environment / 'bin'}:{bundle / 'bin'}:"
    assert variables["PATH"] == path == added + os.environ["PATH"]


def test_children_write_no_bytecode(bundle, tmp_path):
    run(bundle, "result = run(sys.executable, '-m', 'words', env={})", temporary=tmp_path)
    assert not list(bundle.rglob("__pycache__"))


def test_bundle_started_by_an_environment_with_packages(bundle, tmp_path):
    """A virtual environment on the host, which this test itself runs in."""
    assert Path(sysconfig.get_path("purelib"), "pytest").is_dir()
    code = "result = run(sys.executable, '-c', 'import pytest')"
    assert "No module named 'pytest'" in run(bundle, code, temporary=tmp_path)


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_nobody_else_can_write_the_environment(bundle, tmp_path, umask):
    code = f"""
os.umask({umask})
import mastra_venv
mastra_venv.deactivate()
mastra_venv.activate([os.path.dirname(__file__)] * 2, "")
root = os.path.dirname(os.path.dirname(sys.executable))
result = [os.lstat(os.path.join(at, name)).st_mode
          for at, folders, files in os.walk(root)
          for name in [*folders, *files, "."] if not os.path.islink(os.path.join(at, name))]
"""
    modes = run(bundle, code, temporary=tmp_path)
    assert len(modes) > 5
    assert not any(mode & (stat.S_IWGRP | stat.S_IWOTH) for mode in modes)


def find_root(bundle, temporary):
    return Path(run(bundle, "result = sys.executable", temporary=temporary)).parents[1]


@pytest.mark.parametrize(
    "prepare",
    [
        lambda root: (root.mkdir(), root.chmod(0o777)),
        lambda root: root.symlink_to(root.parent),
        lambda root: root.write_text(""),
    ],
)
def test_directory_that_others_may_have_made_is_not_used(bundle, tmp_path, prepare):
    root = find_root(bundle, tmp_path)
    prepare(root)
    code = "result = [sys.executable, run(sys.executable, '-m', 'words')]"
    python, answer = run(bundle, code, temporary=tmp_path)
    assert Path(python).parents[1] != root
    assert answer == "__main__ word"


def test_a_lock_of_another_user_does_not_stop_the_start(bundle, tmp_path):
    root = find_root(bundle, tmp_path)
    root.mkdir()
    descriptor = os.open(root, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    code = "result = [sys.executable, run(sys.executable, '-m', 'words')]"
    python, answer = run(bundle, code, temporary=tmp_path)
    os.close(descriptor)
    assert Path(python).parents[1] != root
    assert answer == "__main__ word"


def test_damaged_environment_of_a_killed_process_is_completed(bundle, tmp_path):
    killed = start(bundle, "os.kill(os.getpid(), 9)", temporary=tmp_path)
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    (root,) = tmp_path.iterdir()
    (root / "bin/python").unlink()
    next(root.rglob("*.pth")).write_text("import os, sys; sys.exit(1)\n")
    code = "result = run(sys.executable, '-m', 'words')"
    assert run(bundle, code, temporary=tmp_path) == "__main__ word"
    assert not list(tmp_path.iterdir())


def test_processes_share_an_environment_and_the_last_one_removes_it(bundle, tmp_path):
    wait = "import time\nwhile not os.path.exists(os.environ['END']): time.sleep(0.01)\n"
    code = wait + "result = run(sys.executable, '-m', 'words')"
    ends = [tmp_path / "end-1", tmp_path / "end-2"]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    running = [start(bundle, code, temporary=temporary, END=str(end)) for end in ends]
    deadline = time.monotonic() + 30
    while not list(temporary.glob("*/bin/python")) and time.monotonic() < deadline:
        time.sleep(0.01)
    for process, end in zip(running, ends, strict=True):
        end.touch()
        assert "__main__ word" in process.communicate(timeout=60)[1]
    assert not list(temporary.iterdir())


def test_children_work_where_no_directory_is_writable(monkeypatch, bundle, tmp_path):
    """The variable PYTHONPATH takes the place of the environment."""
    full = tmp_path / "full"
    full.write_text("")
    for name in ("PYTHONPATH", "PATH"):
        monkeypatch.setenv(name, "")
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(virtual_environment, "_DIRECTORIES", (str(full),))
    monkeypatch.setattr(sys, "executable", sys.executable)
    paths = [str(bundle / "app"), str(bundle / "vendor")]
    before = sys.executable
    monkeypatch.setattr(sys, "prefix", sys.prefix)
    monkeypatch.setattr(sys, "exec_prefix", sys.exec_prefix)
    prefix = sys.prefix
    assert virtual_environment.activate(paths, str(bundle / "bin")) == ""
    assert (sys.executable, sys.prefix) == (before, prefix)
    (bundle / "vendor/share").mkdir()
    assert virtual_environment.activate(paths, str(bundle / "bin")) == ""
    assert sys.prefix == str(bundle / "vendor")
    (bundle / "vendor/share").rmdir()
    answer = subprocess.check_output([before, "-m", "words"], text=True, cwd="/")
    assert answer.strip() == "__main__ word"


def test_disk_without_space_is_no_failure(monkeypatch, bundle, tmp_path):
    def fail(*_):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(virtual_environment, "_write_text", fail)
    monkeypatch.setattr(virtual_environment, "_DIRECTORIES", (str(tmp_path),))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PATH", os.environ["PATH"])
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONNOUSERSITE", "")
    assert virtual_environment.activate([str(bundle / "app"), str(bundle / "vendor")], "") == ""
