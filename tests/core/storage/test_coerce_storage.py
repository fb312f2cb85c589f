"""Conversion of settings to a storage."""

import json
import os
import subprocess
import sys

import pytest

from mastra_core import D1Storage
from mastra_core.errors import ConfigError
from mastra_core.storage import MemoryStorage, SqliteStorage, as_storage


@pytest.mark.parametrize(
    ("value", "kind", "path"),
    [
        (None, MemoryStorage, None),
        ("memory:", MemoryStorage, None),
        ("sqlite:///app.db", SqliteStorage, "app.db"),
        ("sqlite:////data/app.db", SqliteStorage, "/data/app.db"),
        ("d1:DB", D1Storage, None),
    ],
)
def test_storage_url(value, kind, path):
    storage = as_storage(value)
    assert isinstance(storage, kind)
    assert getattr(storage, "path", None) == path


@pytest.mark.parametrize(
    "value",
    ["app.db", "sqlite:app.db", "sqlite:///", "redis://host", "d1:", "Acme:x", 3, SqliteStorage],
)
def test_invalid_storage(value):
    with pytest.raises(ConfigError, match=r"sqlite:///file\.db"):
        as_storage(value)


def test_password_in_a_url_is_masked():
    with pytest.raises(ConfigError) as caught:
        as_storage("mysql://me:secret@host/db")
    assert "secret" not in str(caught.value)
    assert "host/db" in str(caught.value)


def test_storage_class_loads_no_database():
    script = "import mastra_core, mastra_core.storage as s, sys; s.SqliteStorage('x.db');"
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            script + "print('sqlite3' in sys.modules, 'asyncio' in sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == ["False", "False"]


ACME = """
from mastra_core import MemoryStorage

class AcmeStorage(MemoryStorage):
    def __init__(self, url):
        super().__init__()
        self.url = url

def broken(url):
    return url
"""
PRINT = """
import json
from mastra_core import Mastra, MastraError
try:
    storage = Mastra(storage="{url}", logger=False).storage
    print(json.dumps([type(storage).__name__, storage.url]))
except MastraError as error:
    print(json.dumps([type(error).__name__, str(error)]))
"""


@pytest.fixture
def create(tmp_path):
    """Install a package with storages; gives a function that creates a storage by its URL."""
    info = tmp_path / "mastra_acme-1.0.dist-info"
    info.mkdir()
    info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: mastra-acme\nVersion: 1.0\n")
    info.joinpath("entry_points.txt").write_text(
        "[mastra.storages]\nacme+tls = acme:AcmeStorage\nbroken = acme:broken\nnone = acme:none\n"
        "sqlite = acme:AcmeStorage\n"
    )
    tmp_path.joinpath("acme.py").write_text(ACME)

    def create_storage(url):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", PRINT.format(url=url)],
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return create_storage


def test_scheme_of_another_package(create):
    url = "acme+tls://me:secret@host/db"
    assert create(url) == ["AcmeStorage", url]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("broken:x", "'acme:broken' has returned 'str', which is not a storage."),
        ("none:x", "The storage 'acme:none' cannot be loaded"),
    ],
)
def test_defective_scheme_of_another_package(create, url, message):
    kind, text = create(url)
    assert kind == "PluginError"
    assert message in text
    assert "Update or uninstall" in text


def test_own_schemes_cannot_be_replaced(create):
    assert create("sqlite:app.db")[0] == "ConfigError"
