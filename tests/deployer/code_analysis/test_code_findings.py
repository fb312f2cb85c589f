"""Find what a platform without threads, sockets or a disk cannot run, and what runs at import."""

import pytest

from mastra_deployer.code_analysis.app_code import AppCode
from mastra_deployer.code_analysis.code_findings import (
    find_async_primitives,
    find_blocking_clients,
    find_environment_reads,
    find_file_databases,
    find_random_values,
    find_threads,
)


def read_code(tmp_path, entry="", **files):
    """Return the code of an app; `a__b="..."` is `a/b.py`."""
    for name, source in files.items():
        path = tmp_path / f"{name.replace('__', '/', 1)}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return AppCode(tmp_path, tmp_path, entry)


def list_texts(find, tmp_path, source):
    return [item.text for item in find(read_code(tmp_path, main=source))]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("import os\nKEY = os.environ['KEY']", "os.environ['KEY']"),
        ("from os import getenv\nKEY = getenv('KEY', '')", "os.getenv('KEY')"),
        ("import os\nenv = os.environ\nKEY = env.get('KEY')", "os.environ.get('KEY')"),
        ("import os\nNAME = 'KEY'\nclass C:\n    key = os.environ[NAME]", "os.environ['KEY']"),
        ("import os\ndef f(): return os.getenv('KEY')\nKEY = f()", "os.getenv('KEY')"),
        ("import os\ndef f(): return os.getenv('KEY')\ndef g(): return f()\ng()", "os.getenv('KEY')"),
        ("import os\ndef d(f):\n    os.getenv('KEY')\n@d\ndef f(): pass", "os.getenv('KEY')"),
        ("import os\ndef f(key=os.getenv('KEY')): pass", "os.getenv('KEY')"),
        ("import os\nclass C:\n    def __init__(self): self.load()\n"
         "    def load(self): os.getenv('KEY')\nC()", "os.getenv('KEY')"),
        ("import os\nALL = {**os.environ}", "os.environ"),
        ("import os\nif 'KEY' in os.environ: pass", "os.environ"),
        ("from pydantic_settings import BaseSettings\nclass S(BaseSettings): pass\nS()",
         "pydantic_settings.BaseSettings()"),
    ],
)  # fmt: skip
def test_a_read_of_the_environment_at_import_is_found(tmp_path, source, text):
    assert list_texts(find_environment_reads, tmp_path, source) == [text]


@pytest.mark.parametrize(
    "source",
    [
        "import os\ndef f(): return os.environ['KEY']",
        "import os\nos.environ['KEY'] = '1'\nos.environ.setdefault('KEY', '1')\nenv = os.environ",
        "import os\nf = lambda: os.getenv('KEY')",
        "import os\nif __name__ == '__main__':\n    os.getenv('KEY')",
        "from typing import TYPE_CHECKING\nimport os\nif TYPE_CHECKING:\n    os.getenv('KEY')",
        "import os\nclass C:\n    def __init__(self): os.getenv('KEY')",
        "class os:\n    environ = {}\nos.environ['KEY']",
        "import os\nx: os.environ['KEY'] = 1",
        "from mastra_core import Secret\nKEY = Secret.env('KEY')",  # read when it is revealed
    ],
)
def test_a_read_at_a_request_is_not_found(tmp_path, source):
    assert list_texts(find_environment_reads, tmp_path, source) == []


def test_places_are_followed_through_modules(tmp_path):
    code = read_code(
        tmp_path,
        "shop.index",
        shop____init__="from .config import load\n",
        shop__config="import os\ndef load():\n    return os.environ['KEY']\n",
        shop__index="import shop\nKEY = shop.load()\n",
        shop__lazy="import os\nLATE = os.environ['LATE']\n",
        shop__api="def handle():\n    import shop.lazy\n",
    )
    (found,) = find_environment_reads(code)
    assert (found.where, found.text) == ("shop/config.py:3", "os.environ['KEY']")


def test_a_function_that_is_only_imported_does_not_run(tmp_path):
    code = read_code(
        tmp_path,
        shop__config="import os\ndef load():\n    return os.environ['KEY']\n",
        shop__index="from shop.config import load\ndef handle():\n    return load()\n",
    )
    assert [*find_environment_reads(code)] == []


def test_all_modules_are_imported_without_an_entry(tmp_path):
    code = read_code(
        tmp_path, one="import os\nA = os.environ['A']", two="import os\nos.getenv('B')"
    )
    assert [item.where for item in find_environment_reads(code)] == ["one.py:2", "two.py:2"]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("import os\nKEY = os.urandom(32)", "os.urandom"),
        ("import uuid\nID = uuid.uuid4().hex", "uuid.uuid4"),
        ("from secrets import token_hex\nTOKEN = token_hex()", "secrets.token_hex"),
        ("import random\nx = random.choice([1, 2])", "random.choice"),
        ("import random\nrng = random.Random()", "random.Random"),
        ("import tempfile\nd = tempfile.mkdtemp()", "tempfile.mkdtemp"),
        ("import uuid\nfrom dataclasses import dataclass, field\n@dataclass\nclass Run:\n"
         "    id: str = field(default_factory=uuid.uuid4)\nrun = Run()", "uuid.uuid4"),
    ],
)  # fmt: skip
def test_a_random_value_at_import_is_found(tmp_path, source, text):
    assert list_texts(find_random_values, tmp_path, source) == [text]


@pytest.mark.parametrize(
    "source",
    [
        "import random\nrng = random.Random(7)\nrandom.seed(7)",
        "import uuid\ndef f(): return uuid.uuid4()",
        "import uuid\nID = uuid.UUID(int=1)\nNAMED = uuid.uuid5(ID, 'a')",
        "import uuid\nfrom dataclasses import dataclass, field\n@dataclass\nclass Run:\n"
        "    id: str = field(default_factory=uuid.uuid4)",
        "import secrets\nsame = secrets.compare_digest('a', 'b')",
    ],
)
def test_a_fixed_value_is_not_found(tmp_path, source):
    assert list_texts(find_random_values, tmp_path, source) == []


def test_threads_are_found_with_the_time_they_start(tmp_path):
    source = (
        "import threading\nfrom concurrent.futures import ThreadPoolExecutor\n"
        "class Worker(threading.Thread): pass\n"
        "POOL = ThreadPoolExecutor(2)\n"
        "def work():\n    Worker().start()\n    threading.Lock()\n"
    )
    found = {item.line: item for item in find_threads(read_code(tmp_path, main=source))}
    assert {line: item.at_import for line, item in found.items()} == {4: True, 6: False}
    assert found[6].text == "threading.Thread"


def test_shared_primitives_are_found(tmp_path):
    source = (
        "import asyncio\nfrom anyio import Event\nLOCK = asyncio.Lock()\n"
        "class Store:\n    ready = Event()\n    def __init__(self):\n"
        "        self.queue = asyncio.Queue()\n"
        "store = Store()\n"
        "async def handle():\n    return asyncio.Event(), asyncio.Lock()\n"
    )
    found = find_async_primitives(read_code(tmp_path, main=source))
    assert {item.line: item.text for item in found} == {
        3: "asyncio.Lock",
        5: "anyio.Event",
        7: "asyncio.Queue",
    }


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import requests", ["requests"]),
        ("from urllib import request, parse", ["urllib.request"]),
        ("def f():\n    from http.client import HTTPSConnection", ["http.client"]),
        ("from urllib3.util import Retry", ["urllib3.util"]),
        ("import httpx\nfrom urllib.parse import urlsplit\nimport http", []),
        ("try:\n    import requests\nexcept ImportError:\n    requests = None", []),
    ],
)
def test_blocking_clients_are_found(tmp_path, source, expected):
    assert list_texts(find_blocking_clients, tmp_path, source) == expected


def test_databases_in_files_are_found(tmp_path):
    source = "import sqlite3\nurl = 'postgresql://db/app'\nsqlite3.connect('app.db')\n"
    (found,) = find_file_databases(read_code(tmp_path, main=source))
    assert (found.where, found.text) == ("main.py:3", "app.db")


def test_a_file_that_cannot_be_parsed_is_left_out(tmp_path):
    code = read_code(tmp_path, broken="def (", main="import uuid\nID = uuid.uuid4()\n")
    assert [item.where for item in find_random_values(code)] == ["main.py:2"]
