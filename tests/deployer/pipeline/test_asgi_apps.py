"""Any ASGI application goes the same line, unchanged."""

import pytest

from tests.sample_projects import STARLETTE, write_project

pytestmark = pytest.mark.slow

FASTAPI = """\
from fastapi import FastAPI
app = FastAPI()

@app.get("/items/{number}")
async def item(number: int, q: str = "") -> dict:
    return {"number": number, "q": q}
"""
DJANGO_SETTINGS = """\
from pathlib import Path
BASE_DIR = Path(__file__).parent
SECRET_KEY = "test"
ROOT_URLCONF = "site_.urls"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["polls"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
"""


def built(mastra, root, app, *dependencies):
    write_project(root, {}, dependencies=dependencies)
    mastra("build", "--app", app, cwd=root).ok()
    vendored = {path.name for path in (root / ".mastra" / "vendor").iterdir()}
    assert "mastra_core" not in vendored, "another framework's app needs nothing of ours"
    return root / ".mastra"


def test_fastapi(tmp_path, mastra, serve_directory):
    (tmp_path / "main.py").write_text(FASTAPI)
    with serve_directory(built(mastra, tmp_path, "main:app", "fastapi")) as client:
        assert client.get("/items/7?q=x").json() == {"number": 7, "q": "x"}
        assert client.get("/items/no").status_code == 422
        assert client.get("/openapi.json").json()["paths"]


def test_starlette_in_src(tmp_path, mastra, serve_directory):
    (tmp_path / "src" / "web").mkdir(parents=True)
    (tmp_path / "src" / "web" / "__init__.py").touch()
    (tmp_path / "src" / "web" / "app.py").write_text(STARLETTE)
    with serve_directory(built(mastra, tmp_path, "web.app:app", "starlette")) as client:
        assert client.get("/?name=Ada").text == "Ada"
        assert client.get("/stream").text == "0\n1\n2\n"


def test_django_with_an_app_named_only_in_settings(tmp_path, mastra, serve_directory):
    files = {
        "site_/__init__.py": "",
        "site_/settings.py": DJANGO_SETTINGS,
        "site_/urls.py": "from django.urls import include, path\n"
        'urlpatterns = [path("", include("polls.urls"))]\n',
        "site_/asgi.py": "import os\nfrom django.core.asgi import get_asgi_application\n"
        'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_.settings")\n'
        "app = get_asgi_application()\n",
        "polls/__init__.py": "",
        "polls/urls.py": "from django.shortcuts import render\nfrom django.urls import path\n"
        'urlpatterns = [path("", lambda r: render(r, "poll.html", {"name": "Ada"}))]\n',
        "polls/templates/poll.html": "<h1>{{ name }}</h1>",
        "tests/test_polls.py": "import nothing_installed",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    bundle = built(mastra, tmp_path, "site_.asgi:app", "django>=5")
    with serve_directory(bundle) as client:
        assert client.get("/").text == "<h1>Ada</h1>"
    assert not (bundle / "app" / "tests").exists()
