"""The launcher in hand-written bundles, started as users start it."""

import contextlib
import json
import os
import platform
import py_compile
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest

from mastra_core import launcher, virtual_environment
from mastra_deployer.project.interpreters import probe_interpreter
from tests.emulated_python import (
    create_free_threaded_python,
    create_mac_python,
    create_musl_python,
    create_packages,
    create_python,
)

APP = """
import os, sys, time
print("the app prints")
time.sleep(0.05)
os.write(1, b"and writes\\n")

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("no lifespan")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})
"""
HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
MACHINE = probe_interpreter(sys.executable).wheels


@pytest.fixture(scope="module")
def vendor(tmp_path_factory):
    """uvicorn and what it needs, from this environment."""
    target = tmp_path_factory.mktemp("vendor")
    source = Path(sysconfig.get_path("purelib"))
    for name in ("uvicorn", "h11", "click"):
        shutil.copytree(source / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    return target


@pytest.fixture
def bundle(tmp_path):
    """Make a bundle: files of the app, and what its manifest says differently."""

    def make(source=APP, vendor=None, **manifest):
        directory = tmp_path / "bundle"
        (directory / "app").mkdir(parents=True)
        (directory / "app" / "main.py").write_text(source)
        if vendor is None:
            (directory / "vendor").mkdir()
        else:
            shutil.copytree(vendor, directory / "vendor")
        shutil.copy(launcher.__file__, directory / "index.py")
        shutil.copy(virtual_environment.__file__, directory / "app/mastra_venv.py")
        written = {
            "app": "main:app",
            "paths": ["app", "vendor"],
            "python": HERE,
            "wheels": MACHINE,
            "pure": True,
            "kind": "asgi",
            "entry": "main:app",
            "required": [],
            "serve": {"host": "127.0.0.1", "port": 0, "drain": 1, "single_process": False},
        }
        (directory / "mastra-bundle.json").write_text(json.dumps({**written, **manifest}))
        return directory

    return make


def run(directory, *arguments, python=sys.executable, **environment):
    base = {key: os.environ[key] for key in ("PATH", "HOME", "SYSTEMROOT") if key in os.environ}
    return subprocess.run(
        [python, directory / "index.py", *arguments],
        env={**base, **environment},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def check(directory, **environment):
    done = run(directory, "--check", **environment)
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert done.returncode == (0 if report["ok"] else 1)
    return report


def check_refusal(done, *words):
    """It ended with a sentence and a cure, and without a traceback."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    message, hint, *_ = done.stderr.splitlines()
    assert message.startswith("error: ")
    assert hint.startswith("  ")
    for word in words:
        assert word in done.stderr
    assert done.stdout == ""


def test_the_application_is_imported_without_garbage_collection(bundle):
    assert check(bundle(source=f"import gc\nassert not gc.isenabled()\n{APP}"))["ok"]


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ({"python": "3.99"}, ["built for Python 3.99", "python3.99, or build with --python"]),
        ({"python": "3.1", "pure": False}, ["built for Python 3.1,"]),
        ({"wheels": "s390x-manylinux_2_28", "pure": False}, ["built for s390x", "--platform"]),
        ({"wheels": "x86_64-pc-windows-msvc", "pure": False}, ["windows", "Build it on this"]),
    ],
)
def test_bundle_for_another_python_or_machine(bundle, manifest, words):
    check_refusal(run(bundle(**manifest)), *words)


@pytest.mark.parametrize(
    "manifest",
    [
        {"python": "3.9"},
        {"wheels": "s390x-manylinux_2_28"},
        {"wheels": MACHINE, "pure": False},
        {"wheels": "something-else", "pure": False},
    ],
)
def test_compatible_bundle(bundle, manifest):
    assert check(bundle(**manifest))["ok"]


@pytest.fixture(scope="module")
def emulated(tmp_path_factory):
    """Pythons by what they say of themselves."""
    directory = tmp_path_factory.mktemp("pythons")
    kinds = {
        "mac": create_mac_python,
        "musl": create_musl_python,
        "free-threaded": create_free_threaded_python,
        # Python 3.11 on Windows, in an environment without variables.
        "nameless": lambda prefix: create_python(prefix, platform="def machine(): return ''"),
    }
    return {kind: create(directory / kind) for kind, create in kinds.items()}


@pytest.mark.skipif(sys.platform != "linux", reason="emulates other systems on Linux")
@pytest.mark.parametrize(
    ("kind", "wheels", "words"),
    [
        (
            "",
            "unknown-linux-musl",
            ["unknown-linux-musl, but this machine is linux ", " with glibc 2."],
        ),
        ("", "manylinux_2_99", ["manylinux_2_99, but this machine is linux ", " with glibc 2."]),
        ("musl", "manylinux_2_28", ["with another C library than glibc."]),
        ("mac", "manylinux_2_28", ["manylinux_2_28, but this machine is darwin aarch64."]),
        ("free-threaded", "manylinux_2_28", ["is a free-threading build", "Run it with python3."]),
        ("musl", "unknown-linux-musl", []),
        ("nameless", "manylinux_2_28", []),
        ("", "unknown-linux-gnu", []),
        ("", "manylinux2014", []),
    ],
)
def test_compiled_code_needs_its_c_library_and_its_abi(bundle, emulated, kind, wheels, words):
    python = emulated.get(kind, sys.executable)
    directory = bundle(wheels=f"{platform.machine()}-{wheels}", pure=False)
    done = run(directory, "--check", python=python)
    if words:
        check_refusal(done, *words)
        (directory / "mastra-bundle.json").write_text(
            (directory / "mastra-bundle.json").read_text().replace('"pure": false', '"pure": true')
        )
        done = run(directory, "--check", python=python)
    assert json.loads(done.stdout)["ok"], "a bundle without compiled code runs everywhere"


def test_newer_bundle_on_an_older_python(bundle):
    check_refusal(run(bundle(python="3.99", pure=True), "--check"), "3.99")


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"PORT": "abc"}, ["PORT is 'abc'", "0 to 65535"]),
        ({"PORT": "70000"}, ["PORT is '70000'"]),
        ({"PORT": "-1"}, ["PORT is '-1'"]),
        ({"HOST": "203.0.113.7", "PORT": "0"}, ["Cannot listen on 203.0.113.7:0", "HOST=0.0.0.0"]),
        ({"HOST": "x86_64-conda-linux-gnu"}, ["is not an address of this machine", "Conda"]),
        ({"HOST": f"{'x' * 70}.example"}, ["is not an address of this machine"]),
        ({"HOST": "é" * 70}, ["is not an address of this machine"]),
        ({"HOST": "fe80::1"}, ["Cannot listen on fe80::1:", "is not an address of this machine"]),
        ({"WEB_CONCURRENCY": "many"}, ["WEB_CONCURRENCY is 'many'"]),
        ({"WEB_CONCURRENCY": "0"}, ["WEB_CONCURRENCY is '0'", "1 or more"]),
        ({"WEB_CONCURRENCY": "²"}, ["WEB_CONCURRENCY is", "1 or more"]),
        ({"KEEP_ALIVE": "1m"}, ["KEEP_ALIVE is '1m'", "a number of seconds"]),
        ({"KEEP_ALIVE": "0"}, ["KEEP_ALIVE is '0'", "1 or more"]),
    ],
)
def test_invalid_variable(bundle, environment, words):
    check_refusal(run(bundle(), **environment), *words)


def test_port_in_use(bundle):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        check_refusal(run(bundle(), PORT=str(port)), f"127.0.0.1:{port}", "set PORT")


# On macOS, SO_REUSEADDR lets two processes listen on one port, as SO_REUSEPORT does elsewhere.
SHARED_PORTS = """
import socket
set_option = socket.socket.setsockopt
def setsockopt(self, level, option, *values):
    if level == socket.SOL_SOCKET and option == socket.SO_REUSEADDR:
        option = socket.SO_REUSEPORT
    set_option(self, level, option, *values)
socket.socket.setsockopt = setsockopt
"""


@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="the system shares no ports")
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])  # a server's default
def test_port_in_use_where_two_processes_can_bind_it(bundle, tmp_path, host):
    (tmp_path / "sitecustomize.py").write_text(SHARED_PORTS)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = run(bundle(), PORT=port, HOST=host, PYTHONPATH=str(tmp_path))
    check_refusal(done, f"Cannot listen on {host}:{port}: ", "set PORT")


def test_missing_required_variable(bundle):
    directory = bundle(required=["API_KEY", "REGION", "HOME"])
    check_refusal(run(directory), "not set: API_KEY, REGION.", "mastra start")
    assert check(directory)["ok"]


@pytest.mark.parametrize("text", ["", "{", None])
def test_incomplete_bundle(bundle, text):
    directory = bundle()
    manifest = directory / "mastra-bundle.json"
    manifest.unlink() if text is None else manifest.write_text(text)
    check_refusal(run(directory), "is incomplete", "build it again")


@pytest.mark.parametrize("lost", ["app/mastra_venv.py", "vendor/uvicorn"])
def test_bundle_without_some_of_its_modules(bundle, vendor, lost):
    """A copy may leave out files, for example those that .gitignore names."""
    directory = bundle(vendor=vendor)
    (directory / lost).rename(directory / "lost")
    missing = f"is incomplete: No module named '{Path(lost).stem}'."
    check_refusal(run(directory), missing, "Copy the whole bundle")


def test_the_error_of_a_group_is_its_first_one():
    group = ExceptionGroup("several", [ExceptionGroup("inner", [OSError("no database")])])
    assert launcher.format_error(group)["message"] == "no database"


@pytest.mark.skipif(sys.platform != "linux", reason="root reads every file")
def test_bundle_that_the_user_may_not_read(bundle):
    directory = bundle()
    (directory / "mastra-bundle.json").chmod(0)
    limited = [] if os.geteuid() else ["setpriv", "--bounding-set=-all"]  # root without privileges
    command = [*limited, sys.executable, directory / "index.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    check_refusal(done, "cannot be read: Permission denied", "chmod -R a+rX")


def test_unknown_argument(bundle):
    check_refusal(run(bundle(), "--chekc"), "'--chekc'", "--check. HOST and PORT")


def test_output_of_the_app_is_not_in_the_report(bundle):
    done = run(bundle(), "--check")
    assert json.loads(done.stdout)["ok"]
    assert "the app prints" in done.stderr
    assert "and writes" in done.stderr
    report = json.loads(done.stdout)
    assert report["registry"] == {}
    assert 50 <= report["import_ms"] < 10_000
    assert report["modules"] > 10


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import nowhere_at_all", {"type": "ModuleNotFoundError", "missing": "nowhere_at_all"}),
        ("import os; os.environ['API_KEY']", {"type": "KeyError", "message": "'API_KEY'"}),
        ("app = 1/0", {"type": "ZeroDivisionError", "missing": None}),
        ("raise SystemExit('bye')", {"type": "SystemExit", "message": "bye"}),
        ("x = 1\napp =", {"type": "SyntaxError", "message": "invalid syntax"}),
        ("x = 1", {"type": "AttributeError", "missing": None}),
    ],
)
def test_app_that_fails_to_import(bundle, source, expected):
    report = check(bundle(source))
    assert not report["ok"]
    assert expected.items() <= report["error"].items()
    lines = [line for path, line, *_ in report["error"]["frames"] if path.endswith("main.py")]
    assert bool(lines) == (expected["type"] != "AttributeError")  # that app lacks a name
    assert all(lines)


def test_installed_packages_are_isolated(bundle, tmp_path):
    """PYTHONPATH, the environment's packages, and import hooks of editable installs."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "stray.py").write_text("")
    (elsewhere / "sitecustomize.py").write_text(
        "import sys, stray\n"
        "from importlib.util import spec_from_file_location\n"
        "class EditableFinder:\n"
        "    @classmethod\n"
        "    def find_spec(cls, name, path=None, target=None):\n"
        f"        return spec_from_file_location(name, {str(elsewhere / 'stray.py')!r})"
        " if name == 'editable' else None\n"
        "sys.meta_path.insert(0, EditableFinder)\n"
    )
    source = """
import os, sys
found = []
for name in ("stray", "editable", "pytest", "mastra_core", "msgspec"):
    try:
        __import__(name)
    except ImportError:
        continue
    found.append(name)
assert not found, found
assert "PYTHONPATH" not in os.environ
assert os.getcwd() not in sys.path and "" not in sys.path
import json, sqlite3, asyncio
app = found
"""
    report = check(bundle(source), PYTHONPATH=str(elsewhere))
    assert report["ok"], report


# What Homebrew's sitecustomize does: the prefix becomes a link, and sys.path is left as it is.
HOMEBREW = """
import os, site, sys
sys.executable = sys._base_executable = os.path.join({opt!r}, "bin", "python3")
site.PREFIXES[:] = [{opt!r}]
sys.prefix = sys.exec_prefix = sys.base_prefix = sys.base_exec_prefix = {opt!r}
"""
IMPORTS = """
import __future__, asyncio, json, sqlite3, ssl, subprocess, sys
try:
    import stray
except ImportError:
    stray = None
assert stray is None, "an installed package is importable"
child = "import __future__, sqlite3, helper, sys; print(sys.prefix)"
done = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True)
assert not done.returncode, done.stderr
app = done
"""


@pytest.mark.skipif(bool(getattr(sys, "_framework", "")), reason="a framework has one place")
@pytest.mark.parametrize("kind", ["homebrew", "links"])
def test_python_behind_links(bundle, tmp_path, kind):
    """Homebrew's Python has a link as its prefix; others have links in place of their files."""
    cellar, opt = tmp_path / "Cellar/python/3", tmp_path / "opt/python"
    opt.parent.mkdir()
    opt.symlink_to(cellar)
    modules = {"sitecustomize": HOMEBREW.format(opt=str(opt))} if kind == "homebrew" else {}
    packages = create_packages(create_python(cellar, **modules))
    shared = tmp_path / "shared-packages"
    packages.rename(shared)  # Homebrew's packages are behind a link too
    packages.symlink_to(shared)
    (shared / "stray.py").write_text("")
    directory = bundle(IMPORTS)
    (directory / "app" / "helper.py").write_text("")
    python = cellar / "bin/python3"
    seen = subprocess.run([python, "-c", "import stray"], capture_output=True, check=False)
    assert not seen.returncode, seen.stderr
    done = run(directory, "--check", python=python)
    assert json.loads(done.stdout)["ok"], done.stdout


def test_vendored_packages_and_path_files_are_importable(bundle, tmp_path):
    directory = bundle("import inside, by_path_file\napp = inside")
    (directory / "vendor" / "inside.py").write_text("")
    (directory / "vendor" / "deeper").mkdir()
    (directory / "vendor" / "deeper" / "by_path_file.py").write_text("")
    (directory / "vendor" / "deeper.pth").write_text("deeper\n")
    assert check(directory)["ok"]
    moved = tmp_path / "moved"
    directory.rename(moved)
    assert check(moved)["ok"]


def test_app_precedes_its_dependencies(bundle):
    directory = bundle("import same\napp = same.WHERE\nassert app == 'app'")
    (directory / "app" / "same.py").write_text("WHERE = 'app'")
    (directory / "vendor" / "same.py").write_text("WHERE = 'vendor'")
    assert check(directory)["ok"]


def test_running_does_not_change_the_bundle(bundle):
    directory = bundle("import helper\napp = helper")
    (directory / "app" / "helper.py").write_text("")
    before = sorted(directory.rglob("*"))
    assert check(directory)["ok"]
    assert sorted(directory.rglob("*")) == before


@contextlib.contextmanager
def start_server(directory, *prefix, **environment):
    """Serve; gives the base URL, what was said so far, and the process."""
    process = subprocess.Popen(
        [*prefix, sys.executable, directory / "index.py"],
        start_new_session=True,
        env={"PATH": os.environ["PATH"], **environment},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    said = []
    try:
        for line in process.stderr:
            said.append(line)
            if "Serving main:app on http://" in line:
                break
        else:
            pytest.fail("".join(said))
        yield line.split(" on ")[1].split()[0].rstrip(","), said, process
    finally:
        process.terminate()
        process.communicate(timeout=20)


def fetch(url):
    host, _, port = url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), 10) as connection:
        connection.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: connection.recv(4096), b""))


@pytest.mark.slow
def test_serve_and_stop(bundle, vendor):
    directory = bundle(vendor=vendor)
    with start_server(directory) as (url, said, process):
        assert b"/hello" in fetch(url)
        assert len([line for line in said if "Serving" in line]) == 1
        assert not list(directory.rglob("*.pyc"))
    assert process.returncode == 0


# Each standard stream is open, and its descriptor is neither a socket nor a file of the bundle.
NULL_STREAMS = """
import os
for descriptor in (0, 1, 2):
    assert os.path.samestat(os.fstat(descriptor), os.stat(os.devnull)), descriptor
    assert os.get_inheritable(descriptor), descriptor
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="a shell closes the streams")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_standard_streams_that_the_parent_process_has_closed(bundle, vendor, workers):
    directory = bundle(NULL_STREAMS + APP, vendor=vendor)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        ["sh", "-c", 'exec "$0" "$1" <&- >&- 2>&-', sys.executable, str(directory / "index.py")],
        env={"PATH": os.environ["PATH"], "PORT": str(port), "WEB_CONCURRENCY": workers},
    )
    try:
        until = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < until:
            with contextlib.suppress(ConnectionError):
                assert b"/hello" in fetch(f"http://127.0.0.1:{port}")
                break
            time.sleep(0.05)
    finally:
        process.terminate()
        assert process.wait(20) == 0


# With two workers, a child process with --check imports the app first.
STOPPED = """
import os, signal, sys, time
process = os.getppid() if "--check" in sys.argv else os.getpid()
os.kill(process, getattr(signal, os.environ["SENT"]))
try:
    time.sleep(10)
except BaseException:
    print("an app may catch what ends the process")
print("the signal was ignored", file=sys.stderr)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGTERM")
@pytest.mark.parametrize(
    ("sent", "code", "workers"), [("SIGTERM", 0, "1"), ("SIGTERM", 0, "2"), ("SIGINT", 130, "1")]
)
@pytest.mark.parametrize("container", [False, True])
def test_a_stop_during_the_import(bundle, vendor, tmp_path, sent, code, workers, container):
    """By default, the system ignores signals to the first process of a container."""
    command = ["unshare", "--pid", "--fork", "--kill-child"] if container else []
    if container and subprocess.run([*command, "true"], check=False).returncode:
        pytest.skip("this user may not create a namespace of processes")
    (tmp_path / "temporary").mkdir()
    values = {"SENT": sent, "WEB_CONCURRENCY": workers, "TMPDIR": str(tmp_path / "temporary")}
    done = subprocess.run(
        [*command, sys.executable, str(bundle(STOPPED, vendor=vendor) / "index.py")],
        env={"PATH": os.environ["PATH"], **values},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr and "ignored" not in done.stderr
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.slow
def test_host_of_ipv6(bundle, vendor):
    with start_server(bundle(vendor=vendor), HOST="::1") as (url, _, _):
        assert url.startswith("http://[::1]:")
        assert b"/hello" in fetch(url)


def test_a_name_with_addresses_of_both_families_means_ipv4():
    expected = {socket.AF_INET: ("127.0.0.1", 80), socket.AF_INET6: ("::1", 80, 0, 0)}
    families = {family for family, *_ in socket.getaddrinfo("localhost", 80)}
    family = socket.AF_INET if socket.AF_INET in families else socket.AF_INET6
    assert launcher.find_address("localhost", 80) == (family, expected[family])


def test_bytecode_of_the_bundle_is_used_whatever_the_host_sets(bundle, tmp_path):
    source = "import helper\napp = helper\nassert helper.BUILT\n"
    directory = bundle(source)
    helper = directory / "app" / "helper.py"
    helper.write_text("BUILT = True\n")
    py_compile.compile(helper, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    helper.write_text("BUILT = False\n")
    assert check(directory)["ok"]
    assert check(directory, PYTHONPYCACHEPREFIX=str(tmp_path / "bytecode"))["ok"]


@pytest.mark.slow
def test_single_process_app_gets_one_worker(bundle, vendor):
    serve = {"host": "127.0.0.1", "port": 0, "drain": 1, "single_process": True}
    with start_server(bundle(vendor=vendor, serve=serve), WEB_CONCURRENCY="4") as (url, said, _):
        assert any("using 1 worker" in line for line in said)
        assert any("durable engine" in line for line in said)
        assert b"/hello" in fetch(url)


@pytest.mark.slow
def test_workers_that_count_requests_for_themselves_are_reported(bundle, vendor):
    serve = {"host": "127.0.0.1", "port": 0, "drain": 1, "single_process": False}
    limited = {**serve, "per_process": ["Server(rate_limit=...)"]}
    with start_server(bundle(vendor=vendor, serve=limited), WEB_CONCURRENCY="2") as (_, said, _):
        assert any("each worker counts the requests" in line for line in said)
        assert any("2 workers" in line for line in said)


@pytest.mark.slow
def test_several_workers(bundle, vendor):
    source = "import sys\nassert 'pytest' not in sys.modules\n" + APP
    with start_server(bundle(source, vendor=vendor), WEB_CONCURRENCY="2") as (url, said, process):
        assert any("2 workers" in line for line in said)
        assert b"/hello" in fetch(url)
    assert process.returncode == 0


SLOW_APP = """
import asyncio

async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"first ", "more_body": True})
    await asyncio.sleep(0.5)
    await send({"type": "http.response.body", "body": b"last"})
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_closed_terminal_drains_the_server(bundle, vendor, workers):
    directory = bundle(SLOW_APP, vendor=vendor)
    with start_server(directory, WEB_CONCURRENCY=workers) as (url, _, process):
        with open_connection(url) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert connection.recv(5) == b"HTTP/"
            os.killpg(process.pid, signal.SIGHUP)
            rest = b"".join(iter(lambda: connection.recv(4096), b""))
        assert rest.endswith(b"last")
        assert process.wait(20) == 0


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_nohup_keeps_the_server(bundle, vendor, workers):
    directory = bundle(vendor=vendor)
    with start_server(directory, "nohup", WEB_CONCURRENCY=workers) as (url, _, process):
        assert b"/hello" in fetch(url)
        os.killpg(process.pid, signal.SIGHUP)
        time.sleep(1)  # the supervisor of the workers looks for signals twice a second
        assert b"/hello" in fetch(url)
        assert process.poll() is None


@pytest.mark.slow
def test_idle_connections(bundle, vendor):
    """The default is longer than uvicorn's, which is shorter than the timeouts of proxies."""
    directory = bundle(vendor=vendor)
    with start_server(directory) as (url, _, _), open_idle_connection(url) as connection:
        time.sleep(6)
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 ")
    with (
        start_server(directory, KEEP_ALIVE="1") as (url, _, _),
        open_idle_connection(url) as connection,
    ):
        assert connection.recv(100) == b""


def open_connection(url):
    address = urlsplit(url)
    return socket.create_connection((address.hostname, address.port), timeout=20)


def open_idle_connection(url):
    """Send a request, and return its connection after the response."""
    connection = open_connection(url)
    connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    time.sleep(0.5)
    assert connection.recv(65_536).startswith(b"HTTP/1.1 ")
    return connection


MEASURED = """
import os
from mastra_core import ApiRoute, Mastra, Server
from mastra_server import create_app

routes = [ApiRoute(path="/pid", handler=lambda request: str(os.getpid()))]
app = create_app(Mastra(logger=False, server=Server(metrics=True, api_routes=routes)))
"""


@pytest.mark.slow
def test_each_worker_reports_the_metrics_of_all(bundle):
    directory = bundle(MEASURED, paths=["app", sysconfig.get_path("purelib")])
    with start_server(directory, WEB_CONCURRENCY="2") as (url, _, process):
        until, pids, count = time.monotonic() + 20, set(), 0
        while len(pids) < 2 and time.monotonic() < until:
            pids.add(httpx.get(f"{url}/pid", trust_env=False).text)
            count += 1
        assert len(pids) == 2
        for _ in range(4):
            samples = read_samples(httpx.get(f"{url}/metrics", trust_env=False).text)
            labels = 'method="GET",route="/pid",status="200"'
            assert samples[f"http_server_request_duration_seconds_count{{{labels}}}"] == count
            assert samples["http_server_active_requests"] == 0
            assert samples["mastra_workflow_oldest_run_start_time_seconds"] == float("inf")
            assert samples["process_open_fds"] > 20
    assert process.returncode == 0


@pytest.mark.slow
def test_workers_without_a_directory_for_metrics(bundle):
    """They serve, and each one reports its own requests."""
    directory = bundle(MEASURED, paths=["app", sysconfig.get_path("purelib")])
    name = "list_temporary_directories"
    with (directory / "app/mastra_venv.py").open("a") as file:  # as on a read-only disk
        file.write(f"\n\ndef {name}():\n    return ['/nowhere']\n")
    with start_server(directory, WEB_CONCURRENCY="2") as (url, said, process):
        pid = httpx.get(f"{url}/pid", trust_env=False).text
        assert pid.isdigit()
        assert "http_server_active_requests" in httpx.get(f"{url}/metrics", trust_env=False).text
    assert process.returncode == 0
    assert "each worker reports its own metrics" in "".join(said)


@pytest.mark.slow
def test_lost_docstrings_are_reported(bundle):
    """A model does not see what a tool is for if Python has removed its docstring."""
    directory = bundle(MEASURED, paths=["app", sysconfig.get_path("purelib")], kind="mastra")
    with start_server(directory, PYTHONOPTIMIZE="2") as (_, said, _):
        assert "removes docstrings" in "".join(said)
    with start_server(directory, PYTHONOPTIMIZE="1") as (_, said, _):
        assert "docstrings" not in "".join(said)


def read_samples(text):
    pairs = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in pairs}


PRELOADED = """
import threading

STARTED, PRELOADED = threading.Event(), threading.Event()

class Agent:
    id = name = description = "a"
    def info(self): ...
    def generate(self): ...
    def stream(self): ...
    def preload(self):
        assert STARTED.wait(20), "the first request waits for preload"
        PRELOADED.set()

from mastra_core import Mastra

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        assert not PRELOADED.is_set()
        return await send({"type": "lifespan.startup.complete"})
    STARTED.set()
    body = str(PRELOADED.wait(20)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})

class State:
    mastra = Mastra(agents={"a": Agent()})
app.state = State
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_agents_are_preloaded_once_the_server_accepts(bundle, workers):
    paths = ["app", sysconfig.get_path("purelib")]
    directory = bundle(PRELOADED, paths=paths)
    with start_server(directory, WEB_CONCURRENCY=workers) as (url, _, _):
        assert b"True" in fetch(url)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "error"),
    [("app = 1/0", "ZeroDivisionError"), ("import sys; sys.exit(0)", "SystemExit: 0")],
)
def test_app_that_fails_at_startup(bundle, vendor, source, error):
    done = run(bundle(source, vendor=vendor))
    assert done.returncode == 1
    assert error in done.stderr
    assert "The app 'main:app' cannot be imported" in done.stderr


@pytest.mark.slow
def test_an_error_of_mastra_shows_its_cure_and_no_traceback(bundle):
    source = (
        "from mastra_core.errors import ConfigError\nraise ConfigError('No city.', 'Set CITY.')\n"
    )
    done = run(bundle(source, paths=["app", sysconfig.get_path("purelib")]))
    assert done.returncode == 1
    assert "The app 'main:app' cannot be imported: ConfigError: No city." in done.stderr
    assert "Set CITY." in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("missing", "source"),
    [
        ("json", ""),  # Debian's minimal Python has no json
        ("fcntl", ""),
        ("asyncio", ""),
        ("ssl", "import ssl"),  # in a Python that was built without OpenSSL
        ("_sqlite3", "import sqlite3"),
    ],
)
def test_python_without_a_module_of_its_library(bundle, vendor, tmp_path, missing, source):
    code = f"import sys\nsys.modules[{missing!r}] = None"
    python = create_python(tmp_path / "python", sitecustomize=code)
    done = run(bundle(source, vendor=vendor), python=python)
    check_refusal(done, f"lacks the module '{missing}' of its standard library", "complete Python")


def test_the_app_s_own_missing_module_is_not_of_the_library(bundle, vendor):
    done = run(bundle("import nowhere_at_all", vendor=vendor))
    assert done.returncode == 1
    assert "No module named 'nowhere_at_all'" in done.stderr
    assert "standard library" not in done.stderr


MOUNT = ("unshare", "--mount", "mount", "-t", "tmpfs", "-o", "noexec", "tmpfs")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="mounts a disk in a namespace")
def test_bundle_on_a_disk_without_executable_code(bundle, vendor, tmp_path):
    if subprocess.run([*MOUNT, "/mnt"], check=False).returncode:
        pytest.skip("this user may not mount a disk")
    library = Path(msgspec._core.__file__)
    directory = bundle(f"import {library.name.partition('.')[0]}", vendor=vendor)
    shutil.copy(library, directory / "app")
    disk = tmp_path / "disk"
    disk.mkdir()
    script = f'{shlex.join(MOUNT[2:])} "$0" && cp -r "$1" "$0" && exec "$2" "$0/bundle/index.py"'
    command = [*MOUNT[:2], "sh", "-c", script, disk, directory, sys.executable]
    done = subprocess.run(
        command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "cannot be imported: ImportError" in done.stderr
    assert "mounted with noexec. Copy the bundle" in done.stderr


def test_launcher_needs_no_package():
    """Every Python 3 must be able to read the launcher to report its wrong version."""
    import ast

    tree = ast.parse(Path(launcher.__file__).read_text(), feature_version=(3, 7))
    names = {
        name.partition(".")[0]
        for node in tree.body
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert names <= {"__future__", *sys.stdlib_module_names}
