"""Apps of other frameworks are deployed unchanged: `mastra deploy vercel --app main:app`."""

import httpx
import pytest

from tests.sample_projects import STARLETTE, write_project

pytestmark = pytest.mark.slow

FASTAPI = """\
from fastapi import FastAPI
app = FastAPI()

@app.get("/")
@app.get("/items/{number}")
async def item(number: int = 0) -> dict:
    return {"number": number}
"""
FLASK = """\
from flask import Flask
app = Flask(__name__)

@app.get("/items/<int:number>")
def item(number):
    return {"number": number}
"""
DJANGO = {
    "site_/__init__.py": "",
    "site_/settings.py": 'SECRET_KEY = "test"\nROOT_URLCONF = "site_.urls"\nALLOWED_HOSTS = ["*"]\n'
    'INSTALLED_APPS = ["polls"]\n'
    'TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]\n',
    "site_/urls.py": "from django.urls import include, path\n"
    'urlpatterns = [path("", include("polls.urls"))]\n',
    "site_/asgi.py": "import os\nfrom django.core.asgi import get_asgi_application\n"
    'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_.settings")\n'
    "app = get_asgi_application()\n",
    "polls/__init__.py": "",
    "polls/urls.py": "from django.shortcuts import render\nfrom django.urls import path\n"
    'urlpatterns = [path("", lambda r: render(r, "poll.html", {"name": "Ada"}))]\n',
    "polls/templates/poll.html": "<h1>{{ name }}</h1>",
}
APPS = {
    "fastapi": ({"main.py": FASTAPI}, "main:app", "/items/7", '{"number":7}'),
    "flask": ({"main.py": FLASK}, "main:app", "/items/7", '{"number":7}'),
    "starlette": (
        {"src/web/app.py": STARLETTE, "src/web/__init__.py": ""},
        "web.app:app",
        "/stream",
        "0\n1\n2\n",
    ),
    "django": (DJANGO, "site_.asgi:app", "/", "<h1>Ada</h1>"),
}


@pytest.mark.parametrize(
    "framework",
    [
        pytest.param(name, marks=() if name in ("fastapi", "flask") else pytest.mark.full)
        for name in APPS
    ],
)
def test_framework_app_responds_on_vercel(vercel, run, tmp_path, framework):
    files, app, path, text = APPS[framework]
    root = write_project(tmp_path / "app", files, dependencies=(framework,))
    options = ("--app", app, "-s", "project_name=site", "--python", "3.12", "--prod", "--json")
    done = run(root, "deploy", "vercel", *options).ok().json
    assert done["smoke"]["status"] < 500 and done["deployment"]["live"]
    response = httpx.get(done["deployment"]["url"] + path, trust_env=False, timeout=30)
    assert (response.status_code, response.text.strip()) == (200, text.strip())
