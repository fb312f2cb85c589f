"""Check an app's environment without running the app."""

import json

import pytest

from mastra_core.pipeline import (
    Build,
    BundleManifest,
    Environment,
    Platform,
    Project,
    Serve,
    Target,
    TargetLimits,
)
from mastra_deployer.checks.app_problems import check_app
from mastra_deployer.checks.parsed_sources import ParsedSources
from mastra_deployer.checks.value_problems import check_values, find_local_host
from mastra_deployer.code_analysis.database_files import is_file_store
from tests.repository import TESTS
from tests.sample_projects import write_project

INDEX = "src/mastra/index.py"


def collect_findings(tmp_path, *sources, **files):
    """Return the findings of files; `a__b="..."` is `a/b.py`."""
    for name, source in {**{f"m{n}": text for n, text in enumerate(sources)}, **files}.items():
        path = tmp_path / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return {
        item.path: item
        for item in ParsedSources(tmp_path, tmp_path, tmp_path.rglob("*.py")).iter_findings()
    }


def collect_reads(tmp_path, source, **files):
    """Return the reads of one module: whether the app works without the variable, by name."""
    found = collect_findings(tmp_path, source, **files).get("m0.py")
    return {read.name: read.default for read in found.reads} if found else {}


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos.environ['X']",
        "import os as o\no.environ['X']",
        "from os import environ\nenviron['X']",
        "from os import environ as env\nenv.get('X')",
        "from os import getenv\ngetenv('X')",
        "import os\nos.getenv('X', None)",
        "import os\nos.getenv(key='X')",
        "import os\nos.environ.pop('X')",
        "import os\nos.environ['X'], '\\d'",
        "import os\ndef f():\n    return [os.environ['X']]",
        "def f():\n    import os\n    return os.environ['X']",
        "import os\nNAME = 'X'\ndef f(): return os.environ[NAME]",
        "import os\nenv = os.environ\nenv['X']",
        "import os\nfor name in ('X',): os.environ[name]",
        "import os\nNAMES = ['X']\nall(os.environ[name] for name in NAMES)",
        "import os\nif not os.getenv('X'): raise SystemExit('no X')",
        "import os, sys\nif 'X' not in os.environ:\n    sys.exit(1)",
        "import os\nassert os.getenv('X')",
        "import os\ntry:\n    os.environ['X']\nexcept KeyError:\n    raise RuntimeError('no X')",
        "from mastra_core import Secret\nSecret.env('X')",
        "from mastra_core.secret import Secret as S\nS.env('X')",
        "from starlette.config import Config\nconfig = Config('.env')\nconfig('X', cast=bool)",
        "from decouple import config\nconfig('X')",
        "from pydantic_settings import BaseSettings\nclass S(BaseSettings):\n    x: str",
    ],
)
def test_a_read_without_default_is_found(tmp_path, source):
    assert collect_reads(tmp_path, source) == {"X": False}


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos.environ.get('X', 'y')",
        "import os\nos.getenv('X', default='y')",
        "import os\nos.getenv('X') or 'y'",
        "import os\nif os.getenv('X'): pass",
        "import os\ny = 1 if not os.getenv('X') else 2",
        "import os\ny = os.getenv('X') == 'on'",
        "import os\ny = bool(os.getenv('X'))",
        "import os\n'X' in os.environ",
        "import os\nif 'X' in os.environ:\n    os.environ['X']",
        "import os\nos.environ.pop('X', None)",
        "import os\nos.environ.setdefault('X', 'y')",
        "import os\ntry:\n    os.environ['X']\nexcept KeyError:\n    y = 1",
        "import os, contextlib\nwith contextlib.suppress(KeyError):\n    os.environ['X']",
        "from starlette.config import Config\nconfig = Config()\nconfig('X', default=1)",
        "from decouple import config\nconfig('X', default=None)",
        "from pydantic_settings import BaseSettings\nclass S(BaseSettings):\n    x: str = 'y'",
    ],
)
def test_read_with_a_default_is_optional(tmp_path, source):
    assert collect_reads(tmp_path, source) == {"X": True}


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos.environ[f'{a}_X']",
        "import os\ndef f(name): os.environ[name]",
        "import os\nX = 'a'\nX = 'b'\nos.environ[X]",
        "import os\nfor name in names(): os.environ[name]",
        "import os\nos.environ['X'] = 'y'",
        "def app(environ, start): environ['X']",
        "from os import environ\ndef app(environ, start): environ['X']",
        "environ = {}\nenviron['X']",
        "import os\nif __name__ == '__main__':\n    os.environ['X']",
        "from typing import TYPE_CHECKING\nimport os\nif TYPE_CHECKING:\n    os.environ['X']",
        "config = dict\nconfig('X')",
        "from starlette.config import Config\nconfig = Config(env_prefix=P)\nconfig('X')",
        "class BaseSettings: pass\nclass S(BaseSettings):\n    x: str",
        "# os.environ['X']\n'''os.environ[\"X\"]'''",
    ],
)
def test_uncertain_reads_are_skipped(tmp_path, source):
    assert collect_reads(tmp_path, source) == {}


def test_names_from_constants_of_other_modules(tmp_path):
    source = "import os\nfrom .names import KEY\nfrom shop import names as n\nimport shop.names\n"
    source += "os.environ[KEY], os.environ[n.URL], os.environ[shop.names.SALT]"
    files = {"shop__names": "KEY = 'A'\nURL = 'B'\nSALT: str = 'C'\n", "shop____init__": ""}
    found = collect_findings(tmp_path, shop__main=source, **files)
    assert [read.name for read in found["shop/main.py"].reads] == ["A", "B", "C"]


SETTINGS = """\
from typing import ClassVar
from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

class Shop(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SHOP_", env_file=".env")
    kind: ClassVar[str] = "x"
    key: str
    port: int = 1
    size: int = Field(gt=1)
    name: str = Field("x", max_length=9)
    colour: str = Field(..., validation_alias="PAINT")
    shade: str = Field(validation_alias=AliasChoices("a", "b"))

class Old(BaseSettings, env_prefix="OLD_"):
    key: str

class Elsewhere(BaseSettings):
    model_config = SettingsConfigDict(secrets_dir="/run/secrets")
    hidden: str

class Given(BaseSettings):
    handed: str

shop, given = Shop(), Given(handed="x")
"""


def test_fields_of_settings_classes(tmp_path):
    assert collect_reads(tmp_path, SETTINGS) == {
        "SHOP_KEY": False,
        "SHOP_PORT": True,
        "SHOP_SIZE": False,
        "SHOP_NAME": True,
        "PAINT": False,
        "OLD_KEY": False,
    }


def test_a_file_that_cannot_be_parsed_does_not_stop_the_others(tmp_path):
    deep = "import os\nx = os.environ, " + "+".join(["1"] * 5000)
    found = collect_findings(
        tmp_path, "import os\ntype ? = environ", "import os\nos.environ['X']", deep
    )
    assert "line 2" in found["m0.py"].unread
    assert found["m1.py"].reads[0].line == 2
    assert found["m2.py"].unread


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("URL = 'sqlite:///data.db'", ("sqlite:///data.db", "")),
        ("URL = f'sqlite:///{here}/data.db'", ("sqlite:///...", "")),
        ("URL = 'sqlite+aiosqlite:////srv/data.db'", ("sqlite+aiosqlite:////srv/data.db", "")),
        (
            "A = 'sqlite+pysqlcipher://:p4711@/x.db?k=p4711'",
            ("sqlite+pysqlcipher://****@/x.db", ""),
        ),
        ("URL = 'file:./x.db'", ("file:./x.db", "")),
        ("import sqlite3\nsqlite3.connect('x')", ("x", "")),
        ("from mastra_core import SqliteStorage\nSqliteStorage('x.db')", ("x.db", "")),
        ("from mastra_core.storage import SqliteStorage as S\nS(path='x.db')", ("x.db", "")),
        ("import aiosqlite as a\nFILE = 'x.db'\na.connect(database=FILE)", ("x.db", "")),
        ("D = {'ENGINE': 'django.db.backends.sqlite3'}", ("django.db.backends.sqlite3", "")),
        ("import os\nos.getenv('DB', 'sqlite:///x.db')", ("sqlite:///x.db", "DB")),
        ("import os\nos.getenv('DB') or 'x.sqlite'", ("x.sqlite", "DB")),
    ],
)
def test_database_files_in_code(tmp_path, source, problem):
    (store,) = collect_findings(tmp_path, source)["m0.py"].stores
    assert (store.text, store.variable) == problem


@pytest.mark.parametrize(
    "source",
    [
        "'''sqlite:///data.db'''",
        "import sqlite3\nsqlite3.connect(':memory:')",
        "import sqlite3\nsqlite3.connect(path)",
        "import sqlite3\nsqlite3.connect('file:x.db?mode=ro', uri=True)",
        "A = 'sqlite://'",
        "A = 'sqlite:///:memory:'",
        "A = url == 'sqlite:///x.db'",
        "A = 'file:///etc/ssl/cert.pem'",
        "A = 'sqlite: a database in a file'",
    ],
)
def test_strings_that_are_not_database_files(tmp_path, source):
    """The known database shows that the module was searched to its end."""
    found = collect_findings(tmp_path, f"{source}\nKNOWN = 'sqlite:///known.db'")
    assert [store.text for store in found["m0.py"].stores] == ["sqlite:///known.db"]


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("postgresql://u:p4711@localhost:5432/shop", "localhost"),
        ("postgresql+asyncpg://u:p@ss@127.0.0.1/shop", "127.0.0.1"),
        ("http://127.9.9.9", "127.9.9.9"),
        ("redis://[::1]:6379/0", "::1"),
        ("http://0.0.0.0:4318", "0.0.0.0"),
        ("http://host.docker.internal:11434", "host.docker.internal"),
        ("http://printer.local/", "printer.local"),
        ("localhost:9092,127.0.0.1:9093", "localhost"),
        ("mongodb://u:p@localhost:27017,localhost:27018/shop", "localhost"),
        ("localhost", "localhost"),
        ("::1", "::1"),
        ("http://LOCALHOST", "localhost"),
        ("host=localhost password=p4711 dbname=shop", "localhost"),
        ("http://[::ffff:127.0.0.1]/", "::ffff:127.0.0.1"),
        ("https://db.example.com/?next=http://localhost", ""),
        ("https://localhost.example.com", ""),
        ("http://db.default.svc.cluster.local", ""),
        ("localhost,shop.example.com", ""),
        ("http://10.0.0.7", ""),
        ("sk-localhost-4711", ""),
        ("127", ""),
        ("", ""),
        ("p://[", ""),
    ],
)
def test_local_hosts_in_values(value, host):
    assert find_local_host(value) == host


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        ("sqlite:///x.db", True),
        ("SQLITE:///x.db", True),
        ("file:///var/x", True),
        ("libsql:file:x", True),
        ("/data/shop.db", True),
        ("./x.sqlite", True),
        ("sqlite://", False),
        ("sqlite:///:memory:", False),
        ("file::memory:?cache=shared", False),
        ("https://shop.example/x.db", False),
        ("libsql://shop.turso.io", False),
    ],
)
def test_database_files_in_values(value, is_one):
    assert is_file_store(value) is is_one


def get_severities(target, **values):
    declared = Environment(required=("A",), optional=("B", "C"))
    return {
        item.message.split()[0]: item.severity for item in check_values(target, declared, values)
    }


def test_severity_of_values_depends_on_the_target():
    values = {"A": "sqlite:///x", "B": "http://u:p@localhost", "C": "localhost", "D": "localhost"}
    facts = {"name": "acme", "summary": "", "settings": Environment}
    assert get_severities(Target(**facts), **values) == {"B": "warning", "C": "warning"}
    functions = Target(**facts, persistent_disk=False)
    assert get_severities(functions, **values) == {"A": "error", "B": "error", "C": "warning"}
    assert get_severities(Target(**facts, remote=False), **values) == {}
    assert get_severities(Target(**facts, stores_env=False), **values) == {}

    containers = Target(**facts, persistent_disk=False, volumes=True)
    warnings = {"A": "warning", "B": "warning", "C": "warning"}
    assert get_severities(containers, **values) == warnings


def check_source(
    tmp_path,
    source,
    *,
    required=(),
    optional=(),
    models=None,
    values=None,
    serve=None,
    agents=(),
    sizes=None,
    **facts,
):
    """Return the problems of an app of one module, as `severity: message`."""
    build, platform = tmp_path / "build", Platform(python="3.11", wheels="any")
    (build / "app").mkdir(parents=True)
    (build / "app/main.py").write_text(source)
    manifest = BundleManifest(
        app="main:app",
        entry="main:app",
        paths=("app", "vendor"),
        python="3.11",
        wheels="any",
        variables=models or {},
        serve=serve or Serve(),
        registry={"agents": list(agents)},
        sizes=sizes or {},
    )
    project = Project(
        root=tmp_path,
        import_root=tmp_path,
        module="main",
        attribute="app",
        name="app",
        environment=Environment(required=required, optional=optional),
    )
    target = Target(name="acme", summary="", settings=Environment, **facts)
    made = Build(directory=build, platform=platform, manifest=manifest)
    found = check_app(project, target, made, values or {})
    return [f"{item.severity} {item.where}: {item.message} {item.hint}" for item in found]


def test_each_variable_is_reported_once_with_its_places(tmp_path):
    source = "import os\n" + "os.environ['X']\n" * 9 + "os.getenv('X', 'y')\n"
    (problem,) = check_source(tmp_path, source)
    assert problem.startswith("warning main.py:2: The environment variable 'X'")
    assert "(also in main.py:3, main.py:4, main.py:5, main.py:6, main.py:7 and 3 more)" in problem


def test_missing_model_key_is_reported(tmp_path):
    source = "MODEL = 'google:gemini-pro'\n"
    models = {"a": ("GOOGLE_API_KEY", "GEMINI_API_KEY"), "b": ("GOOGLE_API_KEY", "GEMINI_API_KEY")}
    (problem,) = check_source(tmp_path / "1", source, models=models)
    assert problem.startswith(
        "warning main.py:1: The model of agents 'a', 'b' needs GOOGLE_API_KEY or"
    )
    assert check_source(tmp_path / "2", source, models=models, required=("GEMINI_API_KEY",)) == []
    source += "import os\nos.getenv('GOOGLE_API_KEY', '')\n"
    (problem,) = check_source(tmp_path / "3", source, models=models)
    assert problem.startswith(
        "warning main.py:3: The environment variable 'GOOGLE_API_KEY' is read"
    )


def test_variable_set_by_the_app_is_optional(tmp_path):
    source = "import os\nos.environ['X'] = 'y'\nos.environ['X']\n"
    (problem,) = check_source(tmp_path, source)
    assert problem.startswith("note main.py:3: The environment variable 'X' is read with a default")


def test_declared_name_of_a_settings_class_counts_as_read(tmp_path):
    source = "from pydantic_settings import BaseSettings\nclass S(BaseSettings, env_prefix={}):\n"
    source += "    key: str = ''\n"
    declared = ("SHOP_KEY", "SHOP_GONE")
    for n, prefix in enumerate(("'SHOP_'", "prefix()")):
        (problem,) = check_source(tmp_path / str(n), source.format(prefix), optional=declared)
        assert problem.startswith("note pyproject.toml: The environment variable 'SHOP_GONE'")


def test_database_file_is_reported_without_a_persistent_disk(tmp_path):
    source = "import os\nos.getenv('Db', 'sqlite:///x.db')\n"
    functions = {"persistent_disk": False, "optional": ("Db",)}
    (problem,) = check_source(tmp_path / "1", source, **functions)
    assert problem.startswith(
        "warning main.py:2: 'sqlite:///x.db' is a database in a file, which 'acme'"
    )
    assert check_source(tmp_path / "2", source, values={"Db": "postgresql://db"}, **functions) == []
    assert check_source(tmp_path / "3", source, optional=("Db",)) == []
    (problem,) = check_source(tmp_path / "4", source, **functions, volumes=True)
    assert "which 'acme' keeps only on a volume, and only for one instance." in problem
    assert "Run one instance" in problem and "mastra new host" in problem


def test_runs_in_memory_are_reported_where_instances_are_short_lived(tmp_path):
    kept = Serve(single_process=True)
    (problem,) = check_source(tmp_path / "1", "", serve=kept, short_lived=True)
    assert problem.startswith("warning : Threads are kept in the memory of one instance")
    assert "'acme' may end this instance at any time" in problem
    assert "LangGraph" not in problem
    (problem,) = check_source(
        tmp_path / "4", "", serve=kept, short_lived=True, sizes={"langgraph": 9}
    )
    assert "Compile LangGraph graphs with a checkpointer that uses a database." in problem
    assert check_source(tmp_path / "2", "", serve=kept) == []
    assert check_source(tmp_path / "3", "", short_lived=True) == []


def test_data_of_each_instance_is_reported_where_instances_are_short_lived(tmp_path):
    serve = Serve(per_process=("Server(metrics=True)", "Server(rate_limit=...)"))
    (problem,) = check_source(tmp_path / "1", "", serve=serve, short_lived=True)
    assert problem.startswith("warning : Each instance of 'acme' has its own data for Server(met")
    assert "Server(metrics=True), Server(rate_limit=...)." in problem
    assert check_source(tmp_path / "2", "", serve=serve) == []


def test_responses_of_each_instance_are_reported_where_the_storage_keeps_none(tmp_path):
    facts = {"agents": ["shop"], "short_lived": True}
    (problem,) = check_source(tmp_path / "1", "", **facts)
    assert problem.startswith("note : With `previous_response_id`, POST /api/v1/responses finds")
    assert "Pass a storage=... to Mastra that keeps responses" in problem
    assert check_source(tmp_path / "2", "", serve=Serve(shares_responses=True), **facts) == []


def test_limits_of_the_app_are_compared_with_those_of_the_target(tmp_path):
    serve = Serve(body_limit=7_000_000, timeouts={"Server(timeout=...)": 90, "The agent": 60})
    limits = TargetLimits(request=6_291_456, seconds=60)
    body, timeout = check_source(tmp_path / "1", "", serve=serve, limits=limits)
    assert "is 7,000,000 bytes, but 'acme' refuses request bodies of more than 6,291,456" in body
    assert "Server(timeout=...) is 90 seconds, but 'acme' ends a request after 60" in timeout
    assert check_source(tmp_path / "2", "", serve=serve) == []
    assert check_source(tmp_path / "3", "", limits=limits) == []


def test_variables_over_the_limit_of_the_target_are_an_error():
    target = Target(
        name="acme", summary="", settings=Environment, limits=TargetLimits(variables=10)
    )
    declared = Environment(required=("A",), optional=("B",))
    assert not list(check_values(target, declared, {"A": "1234", "B": "1234", "C": "x" * 99}))
    (problem,) = check_values(target, declared, {"A": "1234", "B": "12345"})
    assert problem.severity == "error"
    assert "have 11 bytes, but 'acme' allows 10" in problem.message


def test_a_value_over_the_limit_of_the_target_is_an_error():
    target = Target(name="acme", summary="", settings=Environment, limits=TargetLimits(variable=4))
    declared = Environment(required=("A", "B"))
    assert not list(check_values(target, declared, {"A": "1234", "B": "1234"}))
    (problem,) = check_values(target, declared, {"A": "1234", "B": "\u20ac12"})
    assert problem.severity == "error"
    assert "value of B has 5 bytes, but 'acme' allows 4 for each variable" in problem.message


APP = {
    INDEX: """\
import os, msgspec
from mastra_core import Mastra
from mastra_core import Agent
from .names import KEY

class Chat(Agent):
    def info(self):  # a check needs no framework
        return msgspec.structs.replace(super().info(), requires=())

LOCAL = "sqlite:///data.db"

async def echo(text: str):
    yield os.environ["GREETING"] + os.environ[KEY] + os.getenv("DEBUG", "0")

chat = Chat(name="chat", model="openai:gpt-5")
mastra = Mastra(agents={"echo": echo, "chat": chat}, logger=False)
""",
    "src/mastra/names.py": """\
import os

KEY = "FROM_ELSEWHERE"

def late():
    return os.environ[KEY], os.getenv("DB", "sqlite:///dev.db"), os.getenv("PATH")
""",
    "src/mastra/test_names.py": "import os\nos.environ['ONLY_IN_TESTS']\n",
}
CONFIG = """
[tool.mastra.env]
required = ["GREETING"]
optional = ["DB", "UNUSED"]
[tool.mastra.targets.paper]
deployer = "./paper.py"
file = "paper.json"
"""
NEEDED = "src/mastra/index.py:13 The environment variable 'FROM_ELSEWHERE'"


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """An app with every kind of problem, for a platform without a persistent disk."""
    root = tmp_path_factory.mktemp("checked") / "app"
    write_project(root, APP, CONFIG)
    paper = (TESTS / "deployer/file_platform.py").read_text()
    paper = paper.replace("previews=True,", "previews=True, persistent_disk=False,")
    (root / "paper.py").write_text(paper)
    return root


@pytest.mark.slow
def test_check_reports_problems_with_their_places(app, mastra):
    done = mastra("check", "paper", "--json", cwd=app, GREETING="hi").ok().json
    severities = {}
    for item in done["problems"]:
        assert item["hint"]
        first = " ".join(item["message"].split(" ")[:4])
        severities[f"{item['where']} {first}"] = item["severity"]
    assert severities == {
        NEEDED: "warning",
        "src/mastra/index.py:13 The environment variable 'DEBUG'": "note",
        "src/mastra/index.py:15 The model of agent": "warning",
        "pyproject.toml The environment variable 'UNUSED'": "note",
        "src/mastra/index.py:10 'sqlite:///data.db' is a database": "warning",
        "src/mastra/names.py:6 'sqlite:///dev.db' is a database": "warning",
    }
    text = json.dumps(done["problems"])
    assert "also in src/mastra/names.py:6" in text
    assert "OPENAI_API_KEY" in text
    assert "ONLY_IN_TESTS" not in text


@pytest.mark.slow
def test_strict_fails_on_warnings_and_a_build_shows_them(app, mastra):
    done = mastra("check", "paper", "--strict", cwd=app, GREETING="hi")
    done.failed(4, "'FROM_ELSEWHERE'", "OPENAI_API_KEY", "'sqlite:///data.db'")
    assert done.err.count("'sqlite:///data.db'") == 1
    built = mastra("bundle", "paper", cwd=app).ok()
    assert "warning: src/mastra/index.py:13: The environment variable 'FROM_ELSEWHERE'" in built.err
    assert "DEBUG" not in built.err


@pytest.mark.full
@pytest.mark.slow
def test_declared_and_ignored_variables_are_not_reported(app, mastra):
    pyproject = app / "pyproject.toml"
    before = pyproject.read_text()
    more = '\n[tool.mastra.check]\nignore = ["DEBUG", "UN*", "src/mastra/names.py"]\n'
    names = '"GREETING", "FROM_ELSEWHERE", "OPENAI_API_KEY"'
    pyproject.write_text(before.replace('"GREETING"', names) + more)
    values = {"GREETING": "hi", "FROM_ELSEWHERE": "x", "OPENAI_API_KEY": "sk"}
    try:
        done = mastra("check", "paper", "--strict", "--json", cwd=app, **values)
        (problem,) = done.json["error"]["message"].splitlines()
        assert problem.startswith("src/mastra/index.py:10: 'sqlite:///data.db' is a database")
    finally:
        pyproject.write_text(before)


def test_values_are_checked_before_the_build(app, mastra):
    mastra("check", "paper", cwd=app).failed(2, "GREETING is read in src/mastra/index.py:13")
    url = "postgresql://u:p4711@localhost/shop"
    done = mastra("check", "paper", cwd=app, GREETING=url).failed(4, "GREETING", "(localhost)")
    assert "p4711" not in done.err + done.out
    done = mastra("deploy", "paper", cwd=app, GREETING="x", DB="sqlite:///p4711").failed(6, "DB")
    assert "p4711" not in done.err + done.out


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            "\nraise ValueError('Set the `OPENAI_API_KEY` environment variable, or pass it.')",
            ("OPENAI_API_KEY", "index.py:2"),
        ),
        ("from mastra_core import Secret\nSecret.env('TOKEN').reveal()", ("'TOKEN'", "index.py:2")),
        (
            "import pydantic\nclass S(pydantic.BaseModel):\n    key: str\n    url: str\nS()",
            ("index.py:5", "key\n", "url\n", "Field required"),
        ),
    ],
)
def test_variable_missing_from_a_library_at_import(project, mastra, source, words):
    done = mastra("check", cwd=project({INDEX: source})).failed(2, *words)
    assert "declare" in done.err.lower()
