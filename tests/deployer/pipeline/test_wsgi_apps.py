"""WSGI applications are served through an adapter; what no server can serve is refused."""

import shutil
import subprocess
import sys
import tarfile

import httpx
import pytest
from uv import find_uv_bin

from tests.deployer.dev.dev_process import run_dev
from tests.sample_projects import write_project

pytestmark = pytest.mark.slow

FLASK = """\
import time
from flask import Flask, Response, request

def create_app():
    app = Flask(__name__)

    @app.route("/<path:name>", methods=["GET", "POST"])
    def echo(name):
        return {"name": name, "query": request.args.to_dict(), "body": request.get_data(as_text=True)}

    @app.get("/stream")
    def stream():
        return Response(f"{number}\\n" for number in range(3))

    @app.get("/slow")
    def slow():
        time.sleep(0.3)
        return "slow"

    return app

app = create_app()
"""
BOTTLE = """\
import bottle
app = bottle.Bottle()

@app.route("/<name:path>", method=["GET", "POST"])
def echo(name):
    query = dict(bottle.request.query.decode())
    return {"name": name, "query": query, "body": bottle.request.body.read().decode()}
"""
DJANGO = {
    "shop/__init__.py": "",
    "shop/settings.py": "SECRET_KEY = 'test'\nROOT_URLCONF = 'shop.urls'\nALLOWED_HOSTS = ['*']\n",
    "shop/urls.py": "from django.http import JsonResponse\nfrom django.urls import path\n"
    "def echo(request, name):\n"
    "    return JsonResponse({'name': name, 'query': request.GET.dict(),"
    " 'body': request.body.decode()})\n"
    "urlpatterns = [path('<path:name>', echo)]\n",
    "shop/wsgi.py": "import os\nfrom django.core.wsgi import get_wsgi_application\n"
    "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"
    "application = get_wsgi_application()\n",
}
PLAIN = """\
import json
from urllib.parse import parse_qsl

def app(environ, start_response, extra=None):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
    query = dict(parse_qsl(environ["QUERY_STRING"]))
    text = json.dumps({"name": environ["PATH_INFO"][1:], "query": query, "body": body})
    start_response("200 OK", [("Content-Type", "application/json")])
    return [text.encode()]
"""
SOURCE_SERVER = """\
import importlib, sys
from wsgiref.simple_server import make_server
module, _, attribute = sys.argv[1].partition(":")
sys.path.insert(0, "")
server = make_server("127.0.0.1", 0, getattr(importlib.import_module(module), attribute))
print(server.server_port, flush=True)
server.serve_forever()
"""
FILES = {"main.py": FLASK, "bottles.py": BOTTLE, "plain.py": PLAIN, **DJANGO}
APPS = ("main:app", "bottles:app", "shop.wsgi:application", "plain:app")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A project with four applications, and an environment with its dependencies."""
    names = ("flask", "bottle", "django")
    root = write_project(tmp_path_factory.mktemp("wsgi") / "app", FILES, dependencies=names)
    python = root / ".venv/bin/python"
    for command in (["venv", "-q", "--python", sys.executable, root / ".venv"],
                    ["pip", "install", "-q", "--python", python, *names]):  # fmt: skip
        subprocess.run([find_uv_bin(), *map(str, command)], check=True)
    return root


def read_answers(get):
    """Return the answers to the same requests: method, path, query and body."""
    parameters = {"q": "grün", "x": "1"}
    return [
        get("GET", "/a/b", params=parameters).json(),
        get("POST", "/c%20d", content="größe".encode()).json(),
        get("POST", "/large", content=b"x" * 300_000).json(),
    ]


def read_source_answers(root, app):
    process = subprocess.Popen(
        [root / ".venv/bin/python", "-c", SOURCE_SERVER, app],
        cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    with process:
        address = f"http://127.0.0.1:{process.stdout.readline().strip()}"
        try:
            return read_answers(
                lambda method, path, **more: httpx.request(
                    method, address + path, trust_env=False, **more
                )
            )
        finally:
            process.kill()


@pytest.mark.parametrize(
    "app",
    [pytest.param(app, marks=pytest.mark.full if app == "plain:app" else ()) for app in APPS],
)
def test_bundle_answers_as_the_source(site, mastra, serve_directory, tmp_path, app):
    expected = read_source_answers(site, app)
    mastra("build", "--app", app, cwd=site, VIRTUAL_ENV="").ok()
    moved = shutil.move(site / ".mastra", tmp_path / "moved")
    shutil.move(site, site.with_name("away"))
    try:
        with serve_directory(moved) as client:
            assert read_answers(client.request) == expected
            assert client.get("/a/b").headers["content-type"].startswith("application/json")
    finally:
        shutil.move(site.with_name("away"), site)


@pytest.mark.full
def test_image_and_dev_serve_the_same_app(site, mastra, serve_directory, tmp_path):
    mastra("bundle", "oci", "--app", "main:app", "-s", "image=localhost/team/app", cwd=site,
           VIRTUAL_ENV="").ok()  # fmt: skip
    for blob in (site / ".mastra-local/bundles/oci/blobs/sha256").iterdir():
        with blob.open("rb") as file:
            if file.read(2) != b"\x1f\x8b":
                continue
        with tarfile.open(blob) as archive:
            archive.extractall(tmp_path, filter="fully_trusted")
    (index,) = tmp_path.rglob("index.py")
    with serve_directory(index.parent) as client, run_dev(site, "--app", "main:app") as dev:
        dev.wait_until_ready()
        assert client.get("/stream").text == "0\n1\n2\n" == dev.get("/stream").text
        assert read_answers(client.request)[0] == dev.get("/a/b?q=gr%C3%BCn&x=1").json()


REFUSED = {
    "aio": (
        "from aiohttp import web\napp = web.Application()\n",
        "aiohttp has its own server",
    ),
    "factory": ("import flask\ndef app():\n    return flask.Flask('x')\n", "name its result"),
    "handler": (
        "from http.server import BaseHTTPRequestHandler\nclass app(BaseHTTPRequestHandler):\n"
        "    def do_GET(self): ...\n",
        "the class app",
    ),
    "raising": (
        "async def app(scope, receive, send):\n    raise ValueError('on purpose')\n",
        "raising.py:2: ValueError: on purpose",
        "Correct the cause.",
    ),
    "wrapped": (
        "import functools\ndef real(*args): return [b'x']\napp = functools.partial(real)\n",
        "does not respond to a request",
    ),
}


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    files = {f"{name}.py": text for name, (text, *_) in REFUSED.items()}
    names = ("aiohttp", "flask")
    return write_project(tmp_path_factory.mktemp("refused") / "app", files, dependencies=names)


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_server_can_serve_is_refused(refused, mastra, name):
    done = mastra("build", "--app", f"{name}:app", cwd=refused)
    done.failed(done.code, *REFUSED[name][1:])
    assert done.code in (2, 4) and not (refused / ".mastra").exists()


def test_a_request_that_opens_a_relative_path_is_noted_with_its_cure(tmp_path, mastra):
    source = "async def app(scope, receive, send):\n    open('pyproject.toml')\n"
    root = write_project(tmp_path, {"main.py": source}, dependencies=())
    words = " ".join(mastra("build", "--app", "main:app", cwd=root).ok().err.split())
    assert "main.py:2: FileNotFoundError" in words
    assert "Write it relative to the file: Path(__file__).parent" in words
    assert "a service that this machine lacks" not in words


STATE = """\
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        scope["state"]["text"] = b"of the lifespan"
        await send({"type": "lifespan.startup.complete"})
        await receive()
        return await send({"type": "lifespan.shutdown.complete"})
    text = scope["state"]["text"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text})
"""
NEEDS_SERVICE = """\
import socket
async def app(scope, receive, send):
    socket.create_connection(("127.0.0.1", 1))
"""
SILENT = "async def app(scope, receive, send): ...\n"
BROKEN_MIDDLEWARE = """\
from starlette.applications import Starlette
from starlette.middleware import Middleware

class Broken:
    def __init__(self, app):
        self.app = app
    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            raise KeyError("cache")
        await self.app(scope, receive, send)

app = Starlette(middleware=[Middleware(Broken)])
"""


def test_apps_that_need_their_startup_or_a_service_are_built(mastra, tmp_path):
    files = {"state.py": STATE, "service.py": NEEDS_SERVICE, "middle.py": BROKEN_MIDDLEWARE}
    files["silent.py"] = SILENT
    root = write_project(tmp_path / "app", files, dependencies=("starlette",))
    done = mastra("build", "--app", "state:app", cwd=root).ok()
    assert "request" not in done.err
    done = mastra("build", "--app", "service:app", cwd=root).ok()
    assert "In isolation, a request to the app raises an exception" in done.err
    done = mastra("build", "--app", "middle:app", cwd=root).ok()
    assert "middle.py:9: KeyError" in done.err
    done = mastra("build", "--app", "silent:app", cwd=root).ok()
    assert "responds to a request for an unknown path with 500" in done.err
