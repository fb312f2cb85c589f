"""Wheels may contain files for ``share`` and ``etc`` of an environment, as those of Jupyter do."""

import shutil

import pytest

from tests.deployer.bundler.wheelhouse import write_wheel
from tests.sample_projects import write_project

pytestmark = pytest.mark.slow

APP = """\
import sys
from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

FILES = "share/kit/word.txt", "etc/kit/conf.d/word.json"


async def show(request):
    return PlainTextResponse(" ".join((Path(sys.prefix) / name).read_text() for name in FILES))


app = Starlette(routes=[Route("/", show)])
"""


def test_data_files_of_a_wheel_are_below_the_prefix(tmp_path, mastra, serve_directory):
    house = tmp_path / "house"
    write_wheel(
        house,
        "kit",
        {
            "kit.py": "",
            "kit-1.data/data/share/kit/word.txt": "shared",
            "kit-1.data/data/etc/kit/conf.d/word.json": "configured",
        },
    )
    config = f'[tool.uv]\nfind-links = ["{house}"]\n'
    root = write_project(tmp_path / "app", {"main.py": APP}, config, ("starlette", "kit"))
    mastra("build", "--app", "main:app", cwd=root).ok()
    bundle = shutil.move(root / ".mastra", tmp_path / "moved")
    shutil.rmtree(root)
    with serve_directory(bundle) as client:
        assert client.get("/").text == "shared configured"
