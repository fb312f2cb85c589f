"""The entry that an error suggests to a user who has not named it."""

import pytest

from mastra_core.errors import ConfigError
from mastra_deployer.project.discovery import find_project
from tests.sample_projects import write_project

DJANGO = "import os\nfrom django.core.wsgi import get_wsgi_application\n"
DJANGO += "application = get_wsgi_application()\n"


def get_hint(root, app=""):
    with pytest.raises(ConfigError) as raised:
        find_project(root, app)
    return raised.value.hint


@pytest.mark.parametrize(
    ("file", "source", "entry"),
    [
        ("main.py", "import fastapi\napi: fastapi.FastAPI = fastapi.FastAPI()\n", "main:api"),
        ("shop/app.py", "from flask import Flask\napp = Flask(__name__)\n", "shop.app:app"),
        ("src/shop/web.py", "app = Starlette(routes=[])\n", "shop.web:app"),
        ("config/wsgi.py", DJANGO, "config.wsgi:application"),
    ],
)
def test_an_application_of_another_framework_is_named(tmp_path, file, source, entry):
    assert f"--app {entry}, or set entry" in get_hint(write_project(tmp_path, {file: source}))


def test_several_applications_are_named(tmp_path):
    files = {f"config/{name}.py": DJANGO.replace("wsgi", name) for name in ("asgi", "wsgi")}
    hint = get_hint(write_project(tmp_path, files))
    assert "--app config.asgi:application (or config.wsgi:application)," in hint


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("main.py", "def create_app():\n    app = Flask(__name__)\n"),
        ("tests/app.py", "app = Flask(__name__)\n"),
        (".venv/app.py", "app = Flask(__name__)\n"),
        ("my-app.py", "app = Flask(__name__)\n"),
    ],
)
def test_other_files_are_not_suggested(tmp_path, file, source):
    assert "mastra new APP" in get_hint(write_project(tmp_path, {file: source}))


@pytest.mark.parametrize(
    ("app", "entry"),
    [
        ("config.wsgi", "config.wsgi:application"),
        ("shop/web.py", "shop.web:app"),
        ("my-app.py", "main:app"),
        (":app", "main:app"),
    ],
)
def test_an_entry_without_an_attribute_is_completed(tmp_path, app, entry):
    assert get_hint(tmp_path, app) == f"Write, for example, {entry}."
