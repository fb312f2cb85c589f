"""Data files of wheels are where libraries look for them, and as libraries need them."""

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
    # Jupyter's extensions are such files.
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


def test_data_of_nltk_has_one_hard_link(tmp_path, mastra):
    """NLTK refuses other files. Later builds reuse the copies."""
    house, app = tmp_path / "house", "async def app(scope, receive, send): raise OSError\n"
    write_wheel(house, "kit", {"kit/__init__.py": "", "kit/nltk_cache/corpora/words": "a b"})
    config = f'[tool.uv]\nfind-links = ["{house}"]\n'
    root = write_project(tmp_path / "app", {"main.py": app}, config, ("kit",))
    kit = root / ".mastra/vendor/kit"
    reused = set()
    for number in range(3):
        (root / "main.py").write_text(f"{app}# {number}\n")
        mastra("build", "--app", "main:app", cwd=root).ok()
        words = (kit / "nltk_cache/corpora/words").stat()
        assert (words.st_nlink, words.st_mode & 0o777) == (1, 0o444)
        assert (kit / "__init__.py").stat().st_nlink > 1
        reused.add(words.st_ino)
    assert len(reused) == 2
    assert (kit / "nltk_cache/corpora/words").read_text() == "a b"
