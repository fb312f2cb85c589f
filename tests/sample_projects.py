"""Projects that tests make."""

from __future__ import annotations

ECHO = """\
from mastra_core import Mastra

async def echo(text: str):
    yield f"echo: {text}"

mastra = Mastra(agents={"echo": echo}, logger=False)
"""
STARLETTE = """\
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

async def pieces():
    for n in range(3):
        yield f"{n}\\n"

async def home(request):
    return PlainTextResponse(request.query_params.get("name", "nobody"))

async def stream(request):
    return StreamingResponse(pieces())

app = Starlette(routes=[Route("/", home), Route("/stream", stream)])
"""


def write_project(root, files, config="", dependencies=("mastra-core",)):
    """A project of these files (path to text) with a pyproject.toml."""
    listed = ", ".join(f'"{name}"' for name in dependencies)
    pyproject = (
        f'[project]\nname = "app"\nversion = "0"\nrequires-python = ">=3.11"\n'
        f"dependencies = [{listed}]\n{config}"
    )
    for name, text in {"pyproject.toml": pyproject, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root
