"""`mastra dev` in other people's environments: terminals, debuggers, Pythons without a server."""

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

from tests.deployer.dev.dev_process import MASTRA, Dev, developing
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


def on_a_terminal(root, **environment):
    """What a terminal shows until the app was asked once, and the line of that request."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [MASTRA, "dev", "--port", "0"],
        cwd=root,
        env={**os.environ, "TERM": "xterm", **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        # Without one, Ctrl-C is a character like any other.
        preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),  # noqa: PLW1509  # no thread runs yet
    )
    os.close(theirs)
    shown, end, asked = "", time.monotonic() + 30, False
    try:
        while not re.search(r"POST /api/agents/echo/generate \S*200", shown):
            assert time.monotonic() < end, shown
            if select.select([ours], [], [], 0.1)[0]:
                shown += os.read(ours, 65536).decode()
            command = re.search(r"try: (curl .*?)\r\n", shown)
            if command and not asked:
                asked = True
                subprocess.run(command[1], shell=True, check=True, capture_output=True)
        os.write(ours, b"\x03")  # Ctrl-C, which every process of the terminal gets
        assert process.wait(20) == 130
        while select.select([ours], [], [], 0.2)[0]:
            shown += os.read(ours, 65536).decode()
    except OSError:  # the other end is closed
        pass
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert "Traceback" not in shown
    return shown


def test_a_terminal_has_colours_and_no_color_has_none(tmp_path):
    root = write_project(tmp_path / "app", {INDEX: LOGGING})
    shown = on_a_terminal(root)
    assert "\x1b[33mwarn \x1b[0m" in shown and "words=1" in shown
    assert "\x1b[32m200\x1b[0m" in shown
    plain = on_a_terminal(root, NO_COLOR="1")
    assert "\x1b" not in plain and "warn  shop: asked words=1" in plain


def test_off_a_terminal_lines_are_plain_and_for_people(tmp_path):
    root = write_project(tmp_path / "app", {INDEX: LOGGING})
    with developing(root, "--quiet") as dev:
        dev.ready().ask()
        dev.heard(r"\d\d:\d\d:\d\d warn  shop: asked words=1$")
        assert "\x1b" not in dev.text and "POST /api/agents/echo/generate 200" not in dev.text


def test_json_is_an_object_for_each_event(tmp_path):
    root = write_project(tmp_path / "app", {INDEX: ECHO})
    with developing(root, "--json", "-q") as dev:
        ready = json.loads(dev.heard('"event": "ready"').string)
        assert ready["pid"] == dev.process.pid and ready["url"] in ready["curl"]
        dev.save(INDEX, ECHO + "\n\nx = y\n")
        broken = json.loads(dev.heard('"event": "broken"').string)
        assert (broken["file"], broken["line"], broken["kept"]) == (INDEX, 9, True)
        dev.save(INDEX, ECHO)
        assert json.loads(dev.heard('"event": "reloaded"').string)["files"] == [INDEX]


def bare_environment(root):
    """A project's `.venv` with nothing in it."""
    command = [find_uv_bin(), "venv", "-q", "--python", sys.executable, str(root / ".venv")]
    subprocess.run(command, check=True)


def test_a_python_without_a_server_is_given_one_and_needs_no_deployer(tmp_path):
    """As with pipx: mastra and its deployers are installed elsewhere."""
    source = "from no_such_deployer import Deployer\n" + ECHO.replace(
        "logger=False", "logger=False, deployer=Deployer(app='x')"
    )
    root = write_project(tmp_path / "app", {INDEX: source})
    bare_environment(root)
    where = "import sys\n" + source.replace("echo: {text}", "{sys.prefix}")
    with developing(root, VIRTUAL_ENV="") as dev:
        dev.heard("Installing what serves the app for Python|is ready in")
        dev.heard("^  http") if "is ready" not in dev.text else None
        dev.read = 0
        assert dev.ready().ask().json()["text"] == "echo: x"
        dev.save(INDEX, where)
        dev.heard("reloaded in")
        assert dev.ask().json()["text"] == str(root / ".venv")


def test_debug_needs_debugpy_and_says_how_to_install_it(tmp_path):
    root = write_project(tmp_path / "app", {INDEX: ECHO})
    bare_environment(root)
    dev = Dev(root, "--debug", VIRTUAL_ENV="")
    assert dev.stop_itself() == 2
    assert "--debug needs debugpy" in dev.text
    assert re.search(rf"Install it there: .*{root}/\.venv/bin/python.* debugpy\.", dev.text)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "nosuch.invalid"], "'nosuch.invalid' is no address of this machine."),
        (["--port", "99999"], "--port is '99999'."),
        (["--debug", "here"], "--debug is 'here'."),
        (["--app", "nosuch:app"], "The entry 'nosuch:app' is not a module"),
        (["--env-file", "nope"], "There is no file 'nope'."),
    ],
)
def test_bad_arguments(tmp_path, mastra, arguments, words):
    root = write_project(tmp_path / "app", {INDEX: ECHO})
    mastra("dev", *arguments, cwd=root, timeout=30).failed(2, words)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


class Debugger:
    """Enough of the Debug Adapter Protocol to attach."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.file = self.socket.makefile("rb")
        self.number = 0
        self.request("initialize", adapterID="test")
        self.heard("response", "initialize")
        self.request("attach", justMyCode=False)
        self.heard("event", "initialized")
        self.request("configurationDone")
        self.heard("response", "attach")

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

    def heard(self, kind, name):
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


def test_debug_waits_for_a_debugger_and_offers_the_port_again_after_a_save(tmp_path):
    pytest.importorskip("debugpy")
    root = write_project(tmp_path / "app", {INDEX: ECHO})
    port = free_port()
    with developing(root, "--debug", port) as dev:
        dev.heard(rf"A debugger can attach to 127.0.0.1:{port}")
        time.sleep(0.5)
        assert "is ready" not in dev.text
        debugger = Debugger(port)
        assert dev.ready().ask().json()["text"] == "echo: x"
        dev.save(INDEX, ECHO.replace("echo:", "again:"))
        dev.heard("reloaded in")
        assert dev.ask().json()["text"] == "again: x"
        debugger.heard("event", "terminated")
        debugger.close()
        dev.heard("A debugger can attach")
        Debugger(port).close()
        assert dev.ask().status_code == 200
