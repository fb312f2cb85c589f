"""`mastra dev` with terminals, debuggers, and Pythons without a server."""

import fcntl
import json
import os
import pty
import re
import select
import socket
import subprocess
import sys
import termios
import time

import pytest
from uv import find_uv_bin

from mastra_core.pipeline import SilentReport
from mastra_deployer.dev.options import DevOptions
from mastra_deployer.dev.server_packages import install_runtime
from mastra_deployer.project.environment import read_environment
from mastra_deployer.project.interpreters import probe_interpreter
from tests.deployer.dev.dev_process import MASTRA, Dev, run_dev
from tests.sample_projects import ECHO, write_project

pytestmark = pytest.mark.slow
INDEX = "src/mastra/index.py"
LOGGING = """\
from mastra_core import Mastra, create_logger

logger = create_logger("shop")

async def echo(text: str):
    logger.warning("asked", extra={"words": 1})
    yield f"echo: {text}"

mastra = Mastra(agents={"echo": echo}, logger=logger)
"""


def run_on_terminal(root, **environment):
    """Run the command on a terminal, send one request, and return the output."""
    terminal, device = pty.openpty()
    process = subprocess.Popen(
        [MASTRA, "dev", "--port", "0"],
        cwd=root,
        env={**os.environ, "TERM": "xterm", **environment},
        stdin=device,
        stdout=device,
        stderr=device,
        start_new_session=True,
        # Without one, Ctrl-C is a character like any other.
        preexec_fn=lambda: fcntl.ioctl(device, termios.TIOCSCTTY, 0),  # noqa: PLW1509  # no thread runs yet
    )
    os.close(device)
    output, end, requested = "", time.monotonic() + 30, False
    try:
        while not re.search(r"POST /api/agents/echo/generate \S*200", output):
            assert time.monotonic() < end, output
            if select.select([terminal], [], [], 0.1)[0]:
                output += os.read(terminal, 65536).decode()
            command = re.search(r"try: (curl .*?)\r\n", output)
            if command and not requested:
                requested = True
                subprocess.run(command[1], shell=True, check=True, capture_output=True)
        os.write(terminal, b"\x03")  # Ctrl-C, which every process of the terminal gets
        assert process.wait(20) == 130
        while select.select([terminal], [], [], 0.2)[0]:
            output += os.read(terminal, 65536).decode()
    except OSError:  # the other end is closed
        pass
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
    assert "Traceback" not in output
    return output


def test_a_terminal_has_colors_unless_no_color_is_set(tmp_path):
    root = write_project(tmp_path / "app", {INDEX: LOGGING})
    output = run_on_terminal(root)
    assert "\x1b[33mwarn \x1b[0m" in output and "words=1" in output
    assert "\x1b[32m200\x1b[0m" in output
    plain = run_on_terminal(root, NO_COLOR="1")
    assert "\x1b" not in plain and "warn  shop: asked words=1" in plain


def test_lines_are_plain_without_a_terminal(tmp_path):
    root = write_project(tmp_path / "app", {INDEX: LOGGING})
    with run_dev(root, "--quiet") as dev:
        dev.wait_until_ready().ask()
        dev.wait_for_line(r"\d\d:\d\d:\d\d warn  shop: asked words=1$")
        assert "\x1b" not in dev.text and "POST /api/agents/echo/generate 200" not in dev.text


def test_json_is_an_object_for_each_event(tmp_path):
    root = write_project(tmp_path / "app", {INDEX: ECHO})
    with run_dev(root, "--json", "-q") as dev:
        ready = json.loads(dev.wait_for_line('"event": "ready"').string)
        assert ready["pid"] == dev.process.pid and ready["url"] in ready["curl"]
        dev.save(INDEX, ECHO + "\n\nx = y\n")
        broken = json.loads(dev.wait_for_line('"event": "broken"').string)
        assert (broken["file"], broken["line"], broken["kept"]) == (INDEX, 9, True)
        dev.save(INDEX, ECHO)
        assert json.loads(dev.wait_for_line('"event": "reloaded"').string)["files"] == [INDEX]


def create_bare_environment(root):
    """Create an empty `.venv` in a project."""
    command = [find_uv_bin(), "venv", "-q", "--python", sys.executable, str(root / ".venv")]
    subprocess.run(command, check=True)


def test_a_missing_server_is_installed_and_a_missing_deployer_ignored(tmp_path):
    """As with pipx: mastra and its deployers are installed elsewhere."""
    source = "from no_such_deployer import Deployer\n" + ECHO.replace(
        "logger=False", "logger=False, deployer=Deployer(app='x')"
    )
    root = write_project(tmp_path / "app", {INDEX: source})
    create_bare_environment(root)
    where = "import sys\n" + source.replace("echo: {text}", "{sys.prefix}")
    with run_dev(root, VIRTUAL_ENV="") as dev:
        dev.wait_for_line("Installing the server for Python|is ready in")
        dev.wait_for_line("^  http") if "is ready" not in dev.text else None
        dev.read = 0
        assert dev.wait_until_ready().ask().json()["text"] == "echo: x"
        dev.save(INDEX, where)
        dev.wait_for_line("reloaded in")
        assert dev.ask().json()["text"] == str(root / ".venv")


def test_an_installed_server_can_use_the_packages_of_the_project():
    """The modules for optional packages are there, since the project may have the packages."""
    tree = install_runtime(probe_interpreter(sys.executable), SilentReport())
    assert (tree / "mastra_core/telemetry/provider.py").exists()
    assert (tree / "litestar/stores/redis.py").exists()


WORKSPACE = "[tool.uv.workspace]\nmembers = ['packages/*']\n"
LIBRARY = """\
[project]
name = "words"
version = "0"
requires-python = ">=3.11"
[build-system]
requires = []
build-backend = "hatchling.build"
"""


def create_workspace(root):
    """Create a workspace whose environment has the member `words` as an editable package.

    The records of the installation are those that uv writes.
    """
    (root / "packages").mkdir(parents=True)
    (root / "pyproject.toml").write_text(WORKSPACE)
    library = root / "packages/words"
    (library / "src/words").mkdir(parents=True)
    (library / "pyproject.toml").write_text(LIBRARY)
    (library / "src/words/__init__.py").write_text("WORD = 'one'\n")
    create_bare_environment(root)
    (places,) = (root / ".venv/lib").glob("python*/site-packages")
    (places / "words.pth").write_text(f"{library}/src\n")
    record = places / "words-0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: words\nVersion: 0\n")
    content = {"url": library.as_uri(), "dir_info": {"editable": True}}
    (record / "direct_url.json").write_text(json.dumps(content))
    source = "import sys\nfrom words import WORD\n" + ECHO.replace(
        "echo: {text}", "{WORD} {sys.prefix}"
    )
    return write_project(root / "packages/app", {INDEX: source}), library / "src/words/__init__.py"


def test_a_member_of_a_workspace_has_its_environment_and_reloads_with_its_siblings(tmp_path):
    app, sibling = create_workspace(tmp_path / "space")
    with run_dev(app, VIRTUAL_ENV="") as dev:
        first = dev.wait_until_ready().ask().json()["text"]
        assert first == f"one {tmp_path}/space/.venv"
        dev.save(INDEX, (app / INDEX).read_text() + "# saved\n")
        dev.wait_for_line("reloaded in")
        for word in ("two", "six"):  # of the same length, in the same second
            sibling.write_text(f"WORD = {word!r}\n")
            dev.wait_for_line(r"reloaded in .*: \.\./words/src/words/__init__\.py$")
            assert dev.ask().json()["text"].split(" ")[0] == word
        sibling.write_text("WORD = missing\n")
        dev.wait_for_line(r"broken: \.\./words/src/words/__init__\.py:1: NameError")
    with run_dev(app, VIRTUAL_ENV="") as again:
        again.wait_for_line("broken: ")
        assert "Installing" not in again.text and "Resolving" not in again.text


def test_debug_needs_debugpy_and_prints_the_install_command(tmp_path):
    root = write_project(tmp_path / "app", {INDEX: ECHO})
    create_bare_environment(root)
    dev = Dev(root, "--debug", VIRTUAL_ENV="")
    assert dev.wait_for_exit() == 2
    assert "--debug needs debugpy" in dev.text
    assert re.search(rf"Install it there: .*{root}/\.venv/bin/python.* debugpy\.", dev.text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--host", "nosuch.invalid"], "This machine does not have the address 'nosuch.invalid'."),
        (["--port", "99999"], "--port is '99999', which is not a port."),
        (["--debug", "here"], "--debug is 'here', which is not a port."),
        (["--app", "nosuch:app"], "The entry 'nosuch:app' is not a module"),
        (["--env-file", "nope"], "The file 'nope' does not exist."),
    ],
)
def test_bad_arguments(tmp_path, mastra, arguments, message):
    root = write_project(tmp_path / "app", {INDEX: ECHO})
    mastra("dev", *arguments, cwd=root, timeout=30).failed(2, message)


def test_a_number_that_is_no_port(tmp_path, mastra):
    root = write_project(tmp_path / "app", {INDEX: ECHO})
    mastra("dev", cwd=root, timeout=30, PORT="9" * 5000).failed(2, "which is not a port")


def find_free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


class Debugger:
    """Enough of the Debug Adapter Protocol to attach."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.file = self.socket.makefile("rb")
        self.number = 0
        self.request("initialize", adapterID="test")
        self.wait_for_message("response", "initialize")
        self.request("attach", justMyCode=False)
        self.wait_for_message("event", "initialized")
        self.request("configurationDone")
        self.wait_for_message("response", "attach")

    def request(self, command, **arguments):
        self.number += 1
        message = {
            "seq": self.number,
            "type": "request",
            "command": command,
            "arguments": arguments,
        }
        body = json.dumps(message).encode()
        self.socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def wait_for_message(self, kind, name):
        while True:
            length = 0
            while line := self.file.readline().strip():
                if line.lower().startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            message = json.loads(self.file.read(length))
            if message["type"] == kind and name in (message.get("command"), message.get("event")):
                assert message.get("success", True), message
                return message

    def close(self):
        self.file.close()
        self.socket.close()


def test_debug_waits_for_a_debugger_and_listens_again_after_a_save(tmp_path):
    pytest.importorskip("debugpy")
    root = write_project(tmp_path / "app", {INDEX: ECHO})
    port = find_free_port()
    with run_dev(root, "--debug", port) as dev:
        dev.wait_for_line(rf"A debugger can attach to 127.0.0.1:{port}")
        time.sleep(0.5)
        assert "is ready" not in dev.text
        debugger = Debugger(port)
        assert dev.wait_until_ready().ask().json()["text"] == "echo: x"
        dev.save(INDEX, ECHO.replace("echo:", "again:"))
        dev.wait_for_line("reloaded in")
        assert dev.ask().json()["text"] == "again: x"
        debugger.wait_for_message("event", "terminated")
        debugger.close()
        dev.wait_for_line("A debugger can attach")
        Debugger(port).close()
        assert dev.ask().status_code == 200


def test_console_scripts_of_the_project_are_on_path(tmp_path):
    options = DevOptions(directory=write_project(tmp_path / "app", {INDEX: ECHO}))
    launch = options.build_launch(options.find_project(), {"PATH": "/usr/bin"})
    scripts = os.path.dirname(launch.interpreter.path)
    assert launch.values["PATH"] == f"{scripts}{os.pathsep}/usr/bin"
    assert options.build_launch(options.find_project(), {}).values["PATH"] == scripts


SPAWNING = """\
import subprocess
import sys

from mastra_core import Mastra

async def count(text: str):
    command = [sys.executable, "-c", "import mastra.words as m; print(m.WORD)"]
    yield subprocess.run(command, cwd="/", capture_output=True, text=True, check=True).stdout.strip()

mastra = Mastra(agents={"echo": count}, logger=False)
"""


def test_child_processes_import_the_modules_of_the_project(tmp_path):
    files = {INDEX: SPAWNING, "src/mastra/words.py": "WORD = 'one'\n"}
    with run_dev(write_project(tmp_path / "app", files), PYTHONPATH="/nowhere") as dev:
        assert dev.wait_until_ready().ask().json()["text"] == "one"
        dev.save("src/mastra/words.py", "WORD = 'two'\n")
        dev.wait_for_line("reloaded in")
        assert dev.ask().json()["text"] == "two"


@pytest.mark.parametrize(
    "line",
    [
        "KEY=a-b",
        'KEY="a-b"',
        "KEY='a-b'  # note",
        "export KEY=a-b",
        "KEY=a-b # note",
        "X=1\nKEY=a-b",
    ],
)
def test_the_shell_reads_the_key_as_mastra_does(tmp_path, line, monkeypatch):
    monkeypatch.delenv("KEY", raising=False)
    root = write_project(tmp_path / "app", {INDEX: ECHO, ".env": f"{line}\n"})
    monkeypatch.chdir(root)
    options = DevOptions(directory=root)
    project = options.find_project()
    assert read_environment(project, None)["KEY"] == "a-b"
    command = f'printf %s "Bearer {options.format_token(project, "KEY")}"'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == "Bearer a-b"
