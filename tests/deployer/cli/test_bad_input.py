"""Mistakes of users, each with a message, a cure and an exit code."""

import contextlib
import os
import subprocess
import sys

import pytest

from tests.deployer.bundler.wheelhouse import write_wheel
from tests.sample_projects import write_project

INDEX = "src/mastra/index.py"


class Disk:
    """A project on its own file system."""

    def __init__(self, root, source):
        self.root, self.source, self.mounted = root, source, False

    def __call__(self, size):
        self.root.mkdir()
        self.mount(f"size={size}")
        return write_project(self.root, {INDEX: self.source})

    def mount(self, options):
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.root)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("mounting a file system is not allowed here")
        self.mounted = True


@pytest.fixture
def disk(tmp_path, echo):
    made = Disk(tmp_path / "disk", echo)
    yield made
    if made.mounted:
        subprocess.run(["umount", str(made.root)], check=True)


def test_missing_entry(project, mastra):
    mastra("build", cwd=project({})).failed(2, "src/mastra/index.py is missing", "mastra new APP")


@pytest.mark.parametrize("table", ["tool.poetry", "tool.pdm", "tool.uv", "tool"])
def test_a_value_in_place_of_a_table_is_named(project, mastra, echo, table):
    root = project({INDEX: echo})
    (root / "pyproject.toml").write_text(f"{table} = 3\n")
    mastra("build", cwd=root).failed(2, f"{table} = 3, which is not a table", f"[{table}]")


@pytest.mark.parametrize("line", ["project.dependencies = 3", "tool.poetry.dependencies = 3"])
def test_malformed_dependencies_are_corrected_in_pyproject(project, mastra, echo, line):
    root = project({INDEX: echo})
    (root / "pyproject.toml").write_text(f"{line}\n")
    mastra("build", cwd=root).failed(2, "Correct the dependencies in pyproject.toml")


@pytest.mark.parametrize("line", ["dependencies = 3", "tool = 3"])
def test_malformed_dependencies_are_corrected_in_the_script_block(project, mastra, line):
    app = "async def app(scope, receive, send): ...\n"
    root = project({"serve.py": f"# /// script\n# {line}\n# ///\n{app}"})
    done = mastra("build", "--app", "serve:app", cwd=root)
    done.failed(2, "Correct the dependencies in serve.py")


def test_missing_directory(mastra, tmp_path):
    mastra("build", "--dir", tmp_path / "nowhere").failed(2, "nowhere", "does not exist")


def test_an_entry_that_raises_names_file_and_line(project, mastra, echo):
    root = project({INDEX: echo + "\n1 / 0\n"})
    mastra("build", cwd=root).failed(2, "index.py:8", "ZeroDivisionError: division by zero")


def test_entry_without_mastra_names_other_objects(project, mastra, echo):
    root = project({INDEX: echo.replace("mastra = M", "app = M")})
    mastra("build", cwd=root).failed(2, "does not define 'mastra'", "entry = 'mastra.index:app'")


def test_another_attribute_that_is_missing(project, mastra, echo):
    done = mastra("build", "--app", "mastra.index:ap", cwd=project({INDEX: "app = 7\n"}))
    done.failed(2, "does not define 'ap'", "--app module:attribute")
    assert "mastra = Mastra" not in done.err


@pytest.mark.slow
@pytest.mark.parametrize("app", ["mastra.index:ap", "mastra.index:mastra"])
def test_an_attribute_that_is_missing_in_the_bundle(project, mastra, tmp_path, app):
    write_wheel(tmp_path / "wheels", "absent-here", {"absent_here.py": ""})
    root = project(
        {INDEX: "import absent_here\nfrom mastra_core import Mastra\napp = Mastra()\n"},
        dependencies=("mastra-core", "absent-here==1"),
    )
    done = mastra("build", "--app", app, cwd=root, UV_FIND_LINKS=str(tmp_path / "wheels"))
    done.failed(2, f"does not define {app.partition(':')[2]!r}")


def test_a_missing_name_shows_no_temporary_path(project, mastra):
    done = mastra("build", cwd=project({INDEX: "from json import jsno\n"}))
    done.failed(2, "index.py:1: ImportError: cannot import name 'jsno' from 'json'")
    assert "json/__init__.py" not in done.err


def test_an_entry_with_the_name_of_its_file(project, mastra, echo):
    root = project({INDEX: echo, "src/main.py": echo})
    mastra("build", "--app", "main.py:mastra", cwd=root).failed(2, "without .py: main:mastra")


@pytest.mark.slow
def test_telemetry_whose_extra_is_not_required(project, mastra, echo):
    root = project({INDEX: echo.replace("mastra = Mastra(", "mastra = Mastra(telemetry={}, ")})
    mastra("build", cwd=root).failed(4, "needs 'opentelemetry.sdk'", "'mastra-core[telemetry]'")


@pytest.mark.slow
def test_a_database_whose_extra_is_not_required(project, mastra, echo):
    storage = "storage='postgresql://db/shop', "
    root = project({INDEX: echo.replace("mastra = Mastra(", f"mastra = Mastra({storage}")})
    done = mastra("build", cwd=root).ok()
    assert "'psycopg'" in done.err
    assert "Add 'mastra-core[postgres]'" in done.err


@pytest.mark.slow
def test_an_error_of_the_server_names_no_generated_file(project, mastra, echo):
    root = project(
        {INDEX: echo.replace("mastra = Mastra(", "mastra = Mastra(server={'metrics': True}, ")}
    )
    done = mastra("build", cwd=root).failed(4, "needs the package prometheus-client")
    assert "mastra_asgi" not in done.err


def test_an_entry_that_is_something_else(project, mastra):
    root = project({INDEX: "mastra = 7\n"})
    mastra("build", cwd=root).failed(2, "'mastra.index:mastra' is of type int")


def test_two_mastra_objects(project, mastra, echo):
    root = project({INDEX: echo + "other = Mastra(logger=False)\n"})
    mastra("build", cwd=root).failed(2, "2 Mastra objects: mastra, other", "entry =")


@pytest.mark.slow
def test_two_mastra_objects_with_a_configured_entry(project, mastra, echo):
    config = '[tool.mastra]\nentry = "mastra.index:other"\n'
    root = project({INDEX: echo + "other = Mastra(logger=False)\n"}, config)
    assert mastra("build", "--json", cwd=root).ok().json["registry"]["agents"] == {}


def test_index_and_package_both_define_one(project, mastra, echo):
    root = project({INDEX: echo, "src/mastra/__init__.py": echo})
    mastra("build", cwd=root).failed(2, "Both src/mastra/index.py and src/mastra/__init__.py")


@pytest.mark.parametrize(
    ("deployer", "why"),
    [
        ("AcmeDeployer(app='x') if True else None", "it is a conditional"),
        ("AcmeDeployer(**{'app': 'x'})", "its settings are unpacked with **"),
        ("AcmeDeployer(app='x'.upper())", "is not a literal"),
        ("AcmeDeployer('x')", "positional arguments"),
    ],
)
def test_unreadable_deployer_argument(project, mastra, echo, deployer, why):
    source = "from mastra_deployer_acme import AcmeDeployer\n" + echo
    root = project({INDEX: source.replace("logger=", f"deployer={deployer}, logger=")})
    mastra("build", cwd=root).failed(2, "index.py:7", why, "[tool.mastra.targets]")


def test_a_deployer_through_double_star(project, mastra, echo):
    source = "from mastra_deployer_acme import AcmeDeployer\n" + echo
    source = source.replace("logger=False", "**{'deployer': AcmeDeployer(app='x')}")
    mastra("build", cwd=project({INDEX: source})).failed(4, "AcmeDeployer", "keyword argument")


def test_a_deployer_import_that_would_ship(project, mastra, echo):
    files = {INDEX: echo, "src/mastra/other.py": "import mastra_deployer_acme\n"}
    mastra("build", cwd=project(files)).failed(4, "other.py:1", "must not contain deployers")


def test_a_syntax_error_names_file_and_line(project, mastra, echo):
    root = project({INDEX: echo + "def broken(:\n"})
    mastra("build", cwd=root).failed(2, "index.py:7:")


@pytest.mark.slow
def test_start_names_the_variables_that_are_missing(project, mastra, echo):
    root = project({INDEX: echo}, '[tool.mastra.env]\nrequired = ["GREETING", "PLACE"]\n')
    mastra("build", cwd=root).ok()
    (root / ".env").write_text("PLACE=\n")
    done = mastra("start", cwd=root)
    done.failed(2, "variables are not set: GREETING, PLACE.", "in .env, or in the file of --env-f")
    assert "mastra start" not in done.err, "it is this command"


def test_a_command_that_needs_no_sources_ignores_a_syntax_error(project, mastra, echo):
    root = project({INDEX: echo + "def broken(:\n", "src/mastra/__init__.py": ""})
    mastra("db", "status", cwd=root).ok()
    mastra("runs", "list", cwd=root).failed(2, "does not exist, or has no durable runs")
    mastra("start", cwd=root).failed(5, "There is no bundle")
    mastra("targets", cwd=root).ok()


def test_pyproject_with_a_byte_order_mark(project, mastra, echo):
    root = project({INDEX: echo}, '[tool.mastra.targets.shop]\ndeployer = "oci"\n')
    file = root / "pyproject.toml"
    file.write_text(file.read_text(), encoding="utf-8-sig")
    assert "shop  oci" in mastra("targets", cwd=root).ok().out


@pytest.mark.skipif(os.name != "posix", reason="a shell of Unix closes the streams")
@pytest.mark.parametrize("streams", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams(project, echo, streams):
    root = project({INDEX: echo})
    command = f"{sys.executable} -m mastra_deployer targets {streams}"
    assert subprocess.run(["sh", "-c", command], cwd=root, check=False).returncode == 0


def test_pyproject_that_is_not_toml(project, mastra, echo):
    root = project({INDEX: echo, "pyproject.toml": "[project\n"})
    mastra("build", cwd=root).failed(2, "pyproject.toml", "not TOML")


def test_an_unknown_configuration_key(project, mastra, echo):
    root = project({INDEX: echo}, '[tool.mastra]\nentri = "x:y"\n')
    mastra("build", cwd=root).failed(2, "entri", "Did you mean 'entry'?")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ('python = "9.9"', ("'9.9' is not a version of Python 3", 'python = "3.12"')),
        ("python = 3.12", ("python: Expected `str`", 'Write it as python = "...".')),
        ('[tool.mastra.build]\nkeep = "rich"', ("build.keep", 'Write it as keep = ["..."].')),
        ('[tool.mastra.build]\nbytecode = "al"', ("build.bytecode", "all, imported, none")),
        ('[tool.mastra.check]\nenv = "x"', ("check.env", 'env = { NAME = "..." }')),
        ('[tool.mastra.env]\nrequired = ["A=1"]', ("'A=...' cannot be the name", ".env")),
        ('[tool.mastra.env]\noptional = [""]', ("'' cannot be the name",)),
        ('[tool.mastra.check]\nenv = { "A=" = "1" }', ("'A=...' cannot be the name",)),
        ("[tool.mastra.check]\nenv = { POOL = 5 }", ("check.env", "docs/configuration.md")),
    ],
)
def test_configuration_value_of_the_wrong_type(project, mastra, echo, config, words):
    root = project({INDEX: echo}, f"[tool.mastra]\n{config}\n")
    mastra("build", cwd=root).failed(2, *words)


def test_unknown_platform(project, mastra, echo):
    done = mastra("build", "--platform", "linux-arm", cwd=project({INDEX: echo}))
    done.failed(2, "'linux-arm' is not a platform", "such as x86_64-manylinux_2_28")


@pytest.mark.slow
def test_kept_distribution_that_is_no_dependency(project, mastra, echo):
    root = project({INDEX: echo}, '[tool.mastra.build]\nkeep = ["Litestra", "httpx"]\n')
    (note,) = mastra("build", "--json", cwd=root).ok().json["notes"]
    assert "'litestra' is not among the dependencies" in str(note) and "'litestar'?" in str(note)


@pytest.mark.slow
def test_an_undeclared_import(project, mastra, echo):
    # Installed beside mastra, so it works from source; the bundle must not be taken in.
    root = project({INDEX: "import pytest\n" + echo})
    mastra("build", cwd=root).failed(4, "index.py:1", "no module 'pytest'", "dependencies")
    assert not (root / ".mastra").exists()


@pytest.mark.slow
def test_an_undeclared_environment_variable(project, mastra, echo):
    root = project({INDEX: "import os\nos.environ['MY_KEY']\n" + echo})
    mastra("build", cwd=root, MY_KEY="here").failed(2, "index.py:2", "'MY_KEY'", "required = [")


@pytest.mark.slow
def test_an_agent_whose_provider_is_not_a_dependency(project, mastra):
    source = (
        "from mastra_core import Agent, Mastra\n"
        'mastra = Mastra(agents={"a": Agent(name="a", model="openai:gpt-4o")}, logger=False)\n'
    )
    root = project({INDEX: source}, dependencies=("mastra-core[agents]",))
    mastra("build", cwd=root).failed(4, "'a'", "'openai'", "pydantic-ai-slim[openai]")


def test_conflicting_versions(project, mastra, echo):
    root = project({INDEX: echo}, dependencies=("mastra-core", "litestar==2.0.0"))
    mastra("build", cwd=root).failed(4, "cannot be resolved together", "litestar", "Change one")


def test_no_wheel_for_the_target(project, mastra, echo):
    # uvloop has never had wheels for 32-bit Windows.
    root = project({INDEX: echo}, dependencies=("mastra-core", "uvloop"))
    done = mastra("build", "--platform", "x86_64-pc-windows-msvc", cwd=root)
    done.failed(4, "It is required by the project.", "uvloop", "--platform")


def test_no_network_with_a_cold_cache(project, mastra, echo, tmp_path):
    nowhere = {"UV_CACHE_DIR": str(tmp_path / "cold"), "UV_INDEX_URL": "http://127.0.0.1:9/simple"}
    nowhere |= {"UV_HTTP_RETRIES": "0"}
    root = project({INDEX: echo})
    mastra("build", cwd=root, **nowhere).failed(4, "cannot be reached", "network")


@pytest.mark.slow
def test_failed_build_keeps_the_old_bundle(project, mastra, echo, serve_directory):
    root = project({INDEX: echo})
    mastra("build", cwd=root).ok()
    (root / INDEX).write_text(echo + "1 / 0\n")
    mastra("build", cwd=root).failed(2, "ZeroDivisionError")
    with serve_directory(root / ".mastra") as client:
        answer = client.post("/api/agents/echo/generate", json={"messages": "still"})
        assert answer.json()["text"] == "echo: still"


@pytest.mark.slow
def test_an_output_that_cannot_be_written(disk, mastra, serve_directory):
    root = disk(size="200m")
    mastra("build", cwd=root).ok()
    disk.mount("remount,ro")
    mastra("build", cwd=root).failed(2, "cannot be written", "Read-only")
    with serve_directory(root / ".mastra") as client:
        assert client.get("/health").status_code == 200


@pytest.mark.slow
def test_output_that_is_not_a_bundle(project, mastra, echo):
    root = project({INDEX: echo, ".mastra/output/index.mjs": "// another tool's"})
    mastra("build", cwd=root).failed(5, "is not a bundle of mastra")
    assert (root / ".mastra/output/index.mjs").exists()


def test_unknown_target_names_the_install_command(project, mastra, echo):
    root = project({INDEX: echo})
    done = mastra("deploy", "fly", cwd=root)
    done.failed(2, "the target 'fly' is installed", "-m pip install mastra-deployer-fly")


def test_missing_target(project, mastra, echo):
    mastra("deploy", cwd=project({INDEX: echo})).failed(2, "needs a target")


def test_a_target_that_cannot_deploy(project, mastra, echo):
    mastra("deploy", "server", cwd=project({INDEX: echo})).failed(2, "cannot deploy")


def test_an_unknown_setting(project, mastra, echo):
    root = project({INDEX: echo})
    mastra("deploy", "acme", "-s", "ap=shop", cwd=root).failed(2, "'ap'", "Did you mean 'app'?")


def test_a_missing_setting(project, mastra, echo):
    mastra("deploy", "acme", cwd=project({INDEX: echo})).failed(2, "needs app", "-s app=")


def test_a_setting_without_value(project, mastra, echo):
    mastra("deploy", "acme", "-s", "app", cwd=project({INDEX: echo})).failed(2, "-s 'app'")


def test_a_missing_required_variable_stops_before_anything_is_sent(project, mastra, echo):
    config = '[tool.mastra.env]\nrequired = ["DATABASE_URL"]\n'
    root = project({INDEX: echo}, config)
    done = mastra("deploy", "acme", "-s", "app=shop", "--prod", cwd=root, ACME_TOKEN="t")
    done.failed(2, "DATABASE_URL", ".env")


def test_unknown_commands_and_options(mastra):
    done = mastra("biuld")
    assert done.code == 2
    assert "Did you mean 'build'?" in done.err
    mastra("build", "--nope").failed(2, "--nope")


def test_an_error_as_json(project, mastra):
    done = mastra("build", "--json", cwd=project({}))
    assert done.code == 2
    assert done.json["ok"] is False
    assert done.json["error"]["type"] == "ConfigError"
    assert done.json["error"]["hint"]


def test_names_that_the_encoding_of_the_output_lacks(project, mastra, echo):
    """The pipe of a Windows shell has the characters of one language."""
    config = '[tool.mastra.targets."ключ"]\ndeployer = "oci"\nimage = "localhost:1/x"\n'
    root = project({"src/mastra/index.py": echo}, config)
    done = mastra("targets", cwd=root, PYTHONIOENCODING="cp1252:strict").ok()
    assert r"\u043a\u043b\u044e\u0447" in done.out


def test_the_universal_target_has_no_other_deployer(project, mastra, echo):
    root = project({INDEX: echo}, '[tool.mastra.targets.server]\ndeployer = "acme"\n')
    mastra("build", cwd=root).failed(2, "has the deployer 'acme'", "another name")


def test_the_universal_target_has_environments(project, mastra, echo):
    config = (
        '[tool.mastra.targets.server]\npython = "3.10"\n'
        '[tool.mastra.targets.server.env.old]\npython = "3.9"\n'
    )
    root = project({INDEX: echo}, config)
    mastra("build", cwd=root).failed(2, "'3.10'")
    mastra("build", "--env", "old", cwd=root).failed(2, "'3.9'")
    mastra("check", "--env", "odl", cwd=root).failed(2, "'odl'", "Did you mean 'old'?")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_paths_that_are_not_utf8(mastra, tmp_path, echo):
    name = os.fsdecode(b"caf\xe9")
    root = write_project(tmp_path / name, {INDEX: echo})
    mastra("build", cwd=root).failed(2, "caf\\xe9' of the project is not UTF-8", "Rename")
    root = root.rename(tmp_path / "app")
    failed = mastra("build", cwd=root, MASTRA_CACHE_DIR=str(tmp_path / name))
    failed.failed(2, "of the cache is not UTF-8", "Set MASTRA_CACHE_DIR")


def test_new_files_on_a_full_or_read_only_disk(disk, mastra):
    root = disk(size="64k")
    (root / "Dockerfile").write_text("FROM mine\n")
    with contextlib.suppress(OSError), (root / "fill").open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    before = sorted(root.rglob("*"))
    for command in ("new shop", "new host docker --force"):
        failed = mastra(*command.split(), cwd=root)
        failed.failed(2, "cannot be written: No space left on device")
        assert sorted(root.rglob("*")) == before
    assert (root / "Dockerfile").read_text() == "FROM mine\n"
    disk.mount("remount,ro")
    mastra("check", cwd=root).failed(2, "cannot be written: Read-only file system")
    disk.mount("remount,rw,size=1m")
    (root / "Dockerfile").chmod(0o600)
    mastra("new", "host", "docker", "--force", cwd=root).ok()
    assert (root / "Dockerfile").stat().st_mode & 0o777 == 0o600


def test_notes_before_an_error_are_in_its_json(mastra, project, echo):
    """With --json, warnings are not printed, so a failed command must not lose them."""
    root = project({"src/mastra/index.py": f"import os\n\nos.environ['NEEDED']\n{echo}"})
    (root / ".env").write_text("EXTRA=1\n")
    done = mastra("build", "--json", cwd=root)
    done.failed(2, "'NEEDED' is read without a default")
    assert done.json["ok"] is False
    (note,) = done.json["notes"]
    assert note["severity"] == "warning" and "EXTRA" in note["message"]
    unknown = mastra("build", "--nope", "--json", cwd=root).json
    assert unknown["error"]["exit_code"] == 2 and unknown["notes"] == []
