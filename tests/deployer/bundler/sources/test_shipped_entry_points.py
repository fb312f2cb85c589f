"""Entry points of the distributions that a bundle contains."""

import json

import pytest

from mastra_deployer.bundler.sources.shipped_entry_points import read_entry_points
from tests.deployer.bundler.wheelhouse import write_wheel

ADAPTER = """
from mastra_core.agents.function import FunctionAgent


def adapt(bot):
    async def answer(text: str) -> str:
        return f"{bot.text} {text}"

    return FunctionAgent(answer)
"""
INDEX = """
from acme_framework import Bot
from mastra_core import Mastra

mastra = Mastra(agents={"bot": Bot()}, logger=False)
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[mastra.agents]\nacme = acme_adapter : adapt [extra]\n", {"acme": "acme_adapter:adapt"}),
        ("[console_scripts]\nmastra.agents = a:b\n", {}),
        ("mastra.agents\nno section", {}),
        ("", {}),
    ],
)
def test_entry_points_of_a_group_are_read(text, expected):
    assert read_entry_points([text], "mastra.agents") == expected


def test_the_first_entry_point_of_a_name_counts():
    texts = ["[g]\nName = bad\n", "[g]\nName = first:x\n", "[g]\nName = second:x\nname = third:x\n"]
    assert read_entry_points(texts, "g") == {"Name": "first:x", "name": "third:x"}


@pytest.mark.slow
def test_bundle_lists_the_adapters_of_its_dependencies(project, mastra, tmp_path):
    """The project's environment lacks the dependency, so only the bundle can list it."""
    house = tmp_path / "wheels"
    files = {
        "acme_framework.py": "class Bot:\n    text = 'hello'\n",
        "acme_adapter.py": ADAPTER,
        "adapted_by_acme-1.dist-info/entry_points.txt": "[mastra.agents]\n"
        "acme_framework = acme_adapter:adapt\n",
    }
    write_wheel(house, "adapted-by-acme", files)
    names = ("mastra-core", "adapted-by-acme==1")  # no index has this name
    root = project({"src/mastra/index.py": INDEX}, dependencies=names)
    done = mastra("build", "--json", cwd=root, UV_FIND_LINKS=str(house)).ok()
    assert json.loads(done.out)["registry"]["agents"] == {"bot": "answer"}
    text = (root / ".mastra/app/src/mastra_asgi.py").read_text()
    assert "freeze_adapters({'acme_framework': 'acme_adapter:adapt', " in text
