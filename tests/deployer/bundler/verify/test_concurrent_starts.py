"""An app that is started from source and from its build at the same time."""

import socket

import pytest

# Each start takes the port until its process ends, and adds its steps to a file.
ECHO_WITH_PORT = """
import socket
import time
from pathlib import Path

from mastra_core import Mastra

LOG = Path({log!r})
KIND = "build" if (Path(__file__).parents[3] / "mastra-bundle.json").exists() else "source"


def write_step(step):
    with LOG.open("a") as file:
        file.write(f"{{KIND}} {{step}}\\n")


def wait_for_step(step):
    for _ in range(6000):
        if LOG.exists() and step in LOG.read_text():
            return
        time.sleep(0.01)
    raise TimeoutError(step)


def take_port():
    try:
        SOCKET.bind(("127.0.0.1", {port}))
    except OSError:
        write_step("fails")
        raise
    write_step("takes port")


SOCKET = socket.socket()
TOOLS = {{}}
write_step("starts")
{steps}


async def echo(messages):
    return "echo"


mastra = Mastra(agents={{"echo": echo}}, tools=TOOLS, logger=False)
"""


@pytest.fixture
def build(project, mastra, echo, tmp_path):
    """Build an app twice, the second time with its steps, and return the result and the steps."""

    def run(steps):
        log = tmp_path / "steps"
        root = project({"src/mastra/index.py": echo})
        mastra("build", cwd=root).ok()  # the next build reuses the dependencies
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        source = ECHO_WITH_PORT.format(log=str(log), port=port, steps=steps)
        (root / "src/mastra/index.py").write_text(source)
        return mastra("build", cwd=root), log.read_text().splitlines()

    return run


def test_a_port_that_the_source_holds_does_not_fail_the_build(build):
    done, steps = build("""
if KIND == "build":
    wait_for_step("source takes port")
take_port()
if KIND == "source":
    wait_for_step("build fails")
""")
    done.ok()
    assert [step for step in steps if step.startswith("build")] == [
        "build starts",
        "build fails",
        "build starts",
        "build takes port",
    ]


def test_a_port_that_the_build_holds_does_not_fail_the_source(build):
    done, steps = build("""
if KIND == "source":
    wait_for_step("build takes port")
take_port()
if KIND == "build":
    wait_for_step("source fails")
""")
    done.ok()
    assert [step for step in steps if step.startswith("source")] == [
        "source starts",
        "source fails",
        "source starts",
        "source takes port",
    ]


def test_objects_that_only_one_process_registers_are_compared_again(build):
    done, steps = build("""
if KIND == "build":
    wait_for_step("source takes port")
try:
    take_port()
except OSError:
    pass
else:
    from mastra_core import tool

    @tool
    def look(a: int) -> int:
        return a

    TOOLS["look"] = look
if KIND == "source":
    wait_for_step("build fails")
""")
    done.ok()
    assert steps.count("build starts") == 2


def test_an_app_that_fails_alone_too_is_reported(build):
    done, steps = build("""
if KIND == "source":
    wait_for_step("build starts")
    raise RuntimeError("no database")
""")
    done.failed(2, "no database")
    assert steps.count("source starts") == 2
