"""Functions of other frameworks, of agents with a model, and of another machine's caches."""

import hashlib
import time

import pytest

from mastra_deployer_netlify.bundle.output import FUNCTIONS
from mastra_deployer_netlify.preview.unpack_function import unpack_function
from tests.aimock import serve_model
from tests.conftest import run_mastra
from tests.netlify.function_process import run_function
from tests.sample_projects import write_project

pytestmark = [pytest.mark.slow, pytest.mark.full]

FRAMEWORKS = {
    "pages/__init__.py": "",
    "pages/settings.py": 'SECRET_KEY = "test"\nROOT_URLCONF = "pages.urls"\nALLOWED_HOSTS = ["*"]\n',
    "pages/urls.py": """
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path


async def write_numbers():
    for number in range(3):
        yield f"{number},"


urlpatterns = [
    path("django/<name>", lambda request, name: HttpResponse(f"{name} {len(request.body)}")),
    path("django-stream", lambda request: StreamingHttpResponse(write_numbers())),
]
""",
    "main.py": """
import os
from contextlib import asynccontextmanager

from django.core.asgi import get_asgi_application
from fastapi import FastAPI, WebSocket
from fastapi.responses import StreamingResponse

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pages.settings")
STARTS = []


@asynccontextmanager
async def run_lifespan(app):
    STARTS.append(1)
    yield


app = FastAPI(lifespan=run_lifespan)


@app.get("/fastapi/{number}")
async def describe(number: int) -> dict:
    return {"number": number, "starts": len(STARTS)}


@app.get("/fastapi-stream")
async def stream() -> StreamingResponse:
    async def write_numbers():
        for number in range(3):
            yield f"{number},"

    return StreamingResponse(write_numbers())


app.mount("/", get_asgi_application())
""",
}
AGENT = """
from mastra_core import Agent, Mastra

mastra = Mastra(logger=False, agents={"gpt": Agent(name="gpt", model="openai:gpt-4o")})
"""
ANSWER = {"match": {"userMessage": "hello"}, "response": {"content": "Hello from the model."}}


def bundle(root, *options, **variables):
    """Bundle a project, and return the zip of its function."""
    out = root.parent / f"out-{len(list(root.parent.iterdir()))}"
    options = (*options, "-s", "project_name=shop", "-o", out)
    result = run_mastra("bundle", "netlify", *options, cwd=root, **variables).ok()
    return out / FUNCTIONS / "api.zip", result


def unpack(archive, directory):
    unpack_function(archive, directory)
    return directory


def test_fastapi_and_django_take_the_same_path(bootstrap, tmp_path):
    root = write_project(tmp_path / "app", FRAMEWORKS, dependencies=("fastapi", "django"))
    directory = unpack(bundle(root, "--app", "main:app")[0], tmp_path / "function")
    with run_function(directory, tmp_path / "tmp") as function:
        client = function.client
        assert client.get("/fastapi/7").json() == {"number": 7, "starts": 1}
        assert client.get("/fastapi/x").status_code == 422
        assert client.get("/fastapi-stream").text == client.get("/django-stream").text == "0,1,2,"
        assert client.post("/django/Ada", content=b"12345").text == "Ada 5"
        assert client.get("/nothing").status_code == 404


def test_an_agent_calls_its_model_soon_after_the_initialization(bootstrap, tmp_path):
    packages = ("mastra-core[agents]", "pydantic-ai-slim[openai]")
    config = '[tool.mastra.env]\noptional = ["OPENAI_API_KEY", "OPENAI_BASE_URL"]\n'
    root = write_project(tmp_path / "app", {"src/mastra/index.py": AGENT}, config, packages)
    archive, _ = bundle(root)
    directory = unpack(archive, tmp_path / "function")
    with serve_model(tmp_path, [ANSWER]) as model:
        keys = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": f"{model}/v1"}
        with run_function(directory, tmp_path / "tmp", keys) as function:
            seconds = [ask(function.client) for _ in range(6)]
    warm = sorted(seconds[1:])[2]
    assert seconds[0] < max(10 * warm, 1.0), f"the first call took {seconds}"


def ask(client):
    """Return the seconds of an answer."""
    started = time.monotonic()
    response = client.post("/api/agents/gpt/generate", json={"messages": "hello"})
    assert response.json()["text"] == "Hello from the model."
    return time.monotonic() - started


def test_two_runs_with_two_caches_make_the_same_function(function_bundle, tmp_path):
    """Only the registries' files are shared, by uv's own cache."""
    first = (function_bundle / FUNCTIONS / "api.zip").read_bytes()
    other = {"MASTRA_CACHE_DIR": str(tmp_path / "cache"), "TZ": "Asia/Tokyo", "FAILURE": "none"}
    root = function_bundle.parent / "app"
    second = bundle(root, "--app", "main:app", **other)[0].read_bytes()
    assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()
