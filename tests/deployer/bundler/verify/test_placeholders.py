"""Required variables get values that parse like the real ones; optional ones stay unset."""

import base64
import datetime
import ipaddress
import json
import uuid
from urllib.parse import urlsplit

import pydantic
import pytest

from mastra_core.database.url import parse_database_url
from mastra_deployer.bundler.verify.placeholders import build_placeholder, build_placeholders

INDEX = "src/mastra/index.py"
SECRET = "hunter2-hunter2"
KEY = base64.urlsafe_b64encode(bytes(range(200, 232))).decode()


def parse_port(text):
    return urlsplit(text).port


@pytest.mark.parametrize(
    ("value", "parse"),
    [
        ("5432", int),
        ("-3", int),
        ("0.25", float),
        ("2026-11-29", datetime.date.fromisoformat),
        ("2026-11-29T10:00:00+02:00", datetime.datetime.fromisoformat),
        ("6f1e9d3c-51c2-4b1e-9a55-0a7f4ac2f7aa", uuid.UUID),
        ("10.1.2.3", ipaddress.ip_address),
        (f"postgresql+asyncpg://shop:{SECRET}@db.shop.example:5432/shop?sslmode=require",
         pydantic.TypeAdapter(pydantic.PostgresDsn).validate_python),
        (f"redis://:{SECRET}@cache:6379/2", pydantic.TypeAdapter(pydantic.RedisDsn).validate_python),
        (f"https://{SECRET}@o1.ingest.sentry.io/4711", lambda text: int(urlsplit(text).path[1:])),
        ("https://api.shop.example/v1", pydantic.TypeAdapter(pydantic.HttpUrl).validate_python),
        ('{"type": "service_account", "id": 7, "keys": ["abcdefgh"]}',
         lambda text: json.loads(text)["keys"][0]),
        (KEY, lambda text: len(base64.urlsafe_b64decode(text)) == 32 or 1 / 0),
        ("9f" * 32, bytes.fromhex),
        ("cache.shop.example:6379", lambda text: int(text.rpartition(":")[2])),
        ("1,2,3", lambda text: [int(item) for item in text.split(",")]),
    ],
)  # fmt: skip
def test_placeholder_parses_and_contains_nothing_of_the_value(value, parse):
    placeholder = build_placeholder(value)
    assert parse(placeholder) is not None and parse(value) is not None
    assert SECRET not in placeholder and placeholder != value
    for part in ("shop", "4711", "abcdefgh", "cache.", KEY[:8]):
        assert part not in placeholder


@pytest.mark.parametrize("value", ["true", "False", "info", "production"])
def test_words_that_hide_nothing_stay(value):
    assert build_placeholder(value) == value


def test_text_and_missing_values():
    assert build_placeholder("") == "placeholder" == build_placeholder("x")
    assert len(build_placeholder(SECRET * 3)) == len(SECRET * 3)
    assert build_placeholders(("A", "B"), {"A": "7"}) == {"A": "1", "B": "placeholder"}
    own = build_placeholders(["MASTRA_DATABASE_URL"], {})  # a durable engine parses it
    assert parse_database_url(own["MASTRA_DATABASE_URL"]).kind == "postgresql"
    assert build_placeholder("sqlite:///data/shop.db") == "sqlite:///placeholder.db"


TYPED = """\
import json, os
from urllib.parse import urlsplit
assert "SENTRY_DSN" not in os.environ and "UNDECLARED" not in os.environ
assert "hunter2" not in str(dict(os.environ))
pool = int(os.environ["POOL"])
port = urlsplit(os.environ["DATABASE_URL"]).port + 0
limits = json.loads(os.environ["LIMITS"])["a"] + 1
"""
ENV = f"""\
POOL=5
DATABASE_URL=postgresql://shop:{SECRET}@db.example:5432/shop
LIMITS={{"a": 3}}
SENTRY_DSN=https://{SECRET}@sentry.example/1
UNDECLARED=x
"""
CONFIG = """
[tool.mastra.env]
required = ["POOL", "DATABASE_URL", "LIMITS"]
optional = ["SENTRY_DSN"]
"""


@pytest.mark.slow
def test_build_finds_typed_placeholders_in_the_env_file(project, mastra, echo):
    root = project({INDEX: TYPED + echo, ".env": ENV}, CONFIG)
    done = mastra("build", cwd=root).ok()
    assert SECRET not in done.err + done.out
    content = b"".join(file.read_bytes() for file in (root / ".mastra").glob("*.json"))
    assert SECRET.encode() not in content and b"db.example" not in content


@pytest.mark.slow
def test_failure_shows_the_whole_message_and_the_cure(project, mastra, echo):
    lines = "raise ValueError('POOL: first line\\nsecond line with " + SECRET + "')\n"
    source = "import os\ntry:\n    int(os.environ['POOL'])\nexcept ValueError:\n    " + lines
    root = project({INDEX: source + echo}, CONFIG)
    done = mastra("build", cwd=root, SENTRY_DSN=SECRET).failed(
        2, "first line", "second line", "[tool.mastra.check] env = { POOL = '...' }", ".env"
    )
    assert SECRET not in done.err and "****" in done.err
    source = "raise ValueError('1 error\\nmax_pool\\n  Input should be an integer')\n"
    config = CONFIG + "[tool.mastra.check]\nenv = { SHOP_MAX_POOL = 'x' }\n"
    done = mastra("build", cwd=project({INDEX: source + echo}, config))
    done.failed(2, "[tool.mastra.check] env sets SHOP_MAX_POOL here. Correct that value.")
    done = mastra(
        "build", cwd=project({INDEX: "import os\nos.environ['SENTRY_DSN']\n" + echo}, CONFIG)
    )
    done.failed(2, "'SENTRY_DSN' is read without a default, but optional", "required =")
