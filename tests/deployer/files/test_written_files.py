"""A relative path means one file for every command, and no build deletes what an app wrote."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.deployer.dev.dev_process import run_dev
from tests.sample_projects import write_project

pytestmark = pytest.mark.slow

INDEX = "src/mastra/index.py"
SOURCE = """\
import sys
from pathlib import Path
from mastra_core import AgentInput, Mastra, Memory

async def chat(messages: AgentInput) -> str:
    return f"message {len(messages.messages)}"

async def write(text: str) -> str:
    # Beside the code, into a file that ships, into the bundle, and into a new directory of it.
    here = Path(__file__).parent
    bundle = Path(sys.argv[0]).resolve().parent
    for file in (here / "notes.txt", here / "seed.txt", bundle / "state.db"):
        file.write_text(text)
    (bundle / "cache").mkdir(exist_ok=True)
    (bundle / "cache" / "page.html").write_text(text)
    return "written"

mastra = Mastra(agents={"chat": chat, "write": write}, memory=Memory(), storage="sqlite:///app.db")
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory, mastra):
    files = {INDEX: SOURCE, "src/mastra/seed.txt": "seed", "src/mastra/__init__.py": ""}
    root = write_project(tmp_path_factory.mktemp("written") / "app", files)
    mastra("build", cwd=root).ok()
    return root


@contextlib.contextmanager
def serve(command, cwd):
    environment = {**os.environ, "PORT": "0", "HOST": "127.0.0.1"}
    process = subprocess.Popen(command, cwd=cwd, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        url = re.search(r"on (http://\S+)", process.stderr.readline())[1]
        yield url, process.stderr.readline()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        process.stderr.close()


def ask(url, agent="chat", text="hi"):
    memory = {"thread": "one", "resource": "me"}
    body = {"messages": text, "memory": memory} if agent == "chat" else {"messages": text}
    response = httpx.post(f"{url}/api/agents/{agent}/generate", json=body, trust_env=False)
    return response.json()["text"]


def test_every_command_uses_the_same_file(built, tmp_path):
    index = str(built / ".mastra/index.py")
    tool = str(Path(sys.executable).with_name("mastra"))
    commands = [
        ([tool, "start", "--dir", str(built)], tmp_path),
        ([sys.executable, index], tmp_path),
        ([sys.executable, "index.py"], built / ".mastra"),
        ([sys.executable, ".mastra/index.py"], built),
    ]
    for number, (command, cwd) in enumerate(commands):
        with serve(command, cwd) as (url, line):
            assert line == f"  relative paths start at {built}\n"
            assert ask(url) == f"message {2 * number + 1}"
    with run_dev(tmp_path, "--dir", built) as dev:
        dev.wait_until_ready()
        dev.wait_for_line(re.escape(f"Relative paths start at {built}"))
        assert ask(dev.url) == f"message {2 * len(commands) + 1}"
    assert (built / "app.db").exists() and not list(tmp_path.iterdir())


def test_a_build_keeps_what_the_app_wrote(built, mastra):
    with serve([sys.executable, str(built / ".mastra/index.py")], built) as (url, _):
        assert ask(url, "write", "precious") == "written"
    before = (built / INDEX).read_text()
    (built / INDEX).write_text(before + "# changed\n")
    done = mastra("build", cwd=built).ok()
    assert "into its bundle, which this build replaces" in done.err
    kept = built / ".mastra-written/1"
    names = {path.relative_to(kept).as_posix() for path in kept.rglob("*") if path.is_file()}
    app = "app/src/mastra"
    assert names == {f"{app}/notes.txt", f"{app}/seed.txt", "state.db", "cache/page.html"}
    assert {path.read_text() for path in kept.rglob("*") if path.is_file()} == {"precious"}
    assert (built / ".mastra" / app / "seed.txt").read_text() == "seed"
    assert not (built / ".mastra/state.db").exists()
    (built / INDEX).write_text(before)
    done = mastra("build", cwd=built).ok()
    assert "into its bundle" not in done.err, "an untouched bundle has nothing to keep"
    assert [path.name for path in (built / ".mastra-written").iterdir()] == ["1"]


def test_bundles_at_other_places_are_kept_too(built, mastra, tmp_path):
    out = tmp_path / "out"
    mastra("bundle", "server", "-o", out, cwd=built).ok()
    with serve([sys.executable, "index.py"], out) as (url, line):
        assert line == f"  relative paths start at {out}\n"
        assert ask(url) == "message 1"
    (built / "src/mastra/extra.py").write_text("x = 1\n")
    mastra("bundle", "server", "-o", out, cwd=built).ok()
    assert list((built / ".mastra-written").glob("*/app.db"))
