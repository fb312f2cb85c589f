"""Adapters of other frameworks, as real distributions, each in its own process."""

import json
import os
import subprocess
import sys
import zipfile

import pytest

from mastra_core.agents.adapt import as_agent, get_adapters
from mastra_core.errors import ConfigError

MODULES = {
    "acme_framework.py": """
class Bot:
    def __init__(self, text):
        self.text = text

class SpecialBot(Bot):
    pass
""",
    "acme_adapter.py": """
from mastra_core.agents.function import FunctionAgent

def adapt(bot):
    async def answer(text: str) -> str:
        return f"{bot.text} {text}"

    return FunctionAgent(answer)
""",
    "mine.py": """
from acme_framework import SpecialBot

class MyBot(SpecialBot):
    pass
""",
}


@pytest.fixture
def install_adapter(tmp_path):
    """Install a framework and its adapter; gives a function that runs a script beside them."""

    def install(entry="acme_framework = acme_adapter:adapt"):
        wheel = tmp_path / "mastra_acme-1.0-py3-none-any.whl"
        info = "mastra_acme-1.0.dist-info"
        files = {
            **MODULES,
            f"{info}/METADATA": "Metadata-Version: 2.1\nName: mastra-acme\nVersion: 1.0\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\n"
            "Tag: py3-none-any\n",
            f"{info}/entry_points.txt": f"[mastra.agents]\n{entry}\n",
        }
        record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
        with zipfile.ZipFile(wheel, "w") as archive:
            for name, text in {**files, f"{info}/RECORD": record}.items():
                archive.writestr(name, text)
        target = tmp_path / "target"
        command = [sys.executable, "-m", "uv", "pip", "install", "-q", "--offline", "--no-deps"]
        subprocess.run([*command, "--target", target, wheel], check=True)

        def run(script):
            done = subprocess.run(
                [sys.executable, "-W", "error", "-c", script],
                env={**os.environ, "PYTHONPATH": str(target)},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout)

        return run

    return install


ANSWER = """
import asyncio, json, sys
from mastra_core import AgentInput, Mastra
from mastra_core.agents import Message

def answer(bot):
    agent = Mastra(agents={"bot": bot}, logger=False).get_agent("bot")
    run_input = AgentInput(messages=(Message.user("you"),))
    return asyncio.run(agent.generate(run_input)).text
"""


def test_installed_adapter_is_found_by_class_and_bases(install_adapter):
    run = install_adapter()
    script = "from acme_framework import Bot\nfrom mine import MyBot\n"
    told = "print(json.dumps([answer(Bot('hello')), answer(MyBot('hi'))]))"
    assert run(script + ANSWER + told) == ["hello you", "hi you"]


def test_frozen_adapters_skip_the_search(install_adapter):
    run = install_adapter("something_else = nowhere:adapt")
    script = """
from mastra_core.agents.adapt import freeze_adapters, get_adapters
freeze_adapters({"acme_framework": "acme_adapter:adapt"})
from acme_framework import Bot
"""
    told = """
print(json.dumps([answer(Bot("hello")), "importlib.metadata" in sys.modules, get_adapters()]))
"""
    text, scanned, names = run(script + ANSWER + told)
    assert text == "hello you"
    assert not scanned
    assert {"pydantic_ai", "acme_framework"} <= set(names)
    assert "something_else" not in names


def test_unknown_object_is_rejected(install_adapter):
    run = install_adapter("something_else = nowhere:adapt")
    script = """
from acme_framework import Bot
from mastra_core.errors import ConfigError
try:
    answer(Bot("hello"))
except ConfigError as error:
    print(json.dumps([error.message, error.hint]))
"""
    message, hint = run(ANSWER + script)
    assert "is not an agent" in message
    assert "'acme_framework'" in hint
    assert "mastra.agents" in hint


@pytest.mark.parametrize("entry", ["nowhere:adapt", "acme_adapter:nothing"])
def test_adapter_that_fails_to_load(install_adapter, entry):
    run = install_adapter(f"acme_framework = {entry}")
    script = """
from acme_framework import Bot
from mastra_core.errors import PluginError
try:
    answer(Bot("hello"))
except PluginError as error:
    print(json.dumps([error.message, error.hint]))
"""
    message, hint = run(ANSWER + script)
    assert repr(entry) in message
    assert "Update or uninstall" in hint


def test_built_in_adapters_need_no_search():
    assert get_adapters()["pydantic_ai"] == "mastra_core.agents.pydantic_ai:adapt"
    with pytest.raises(ConfigError, match="is not an agent"):
        as_agent(object())
