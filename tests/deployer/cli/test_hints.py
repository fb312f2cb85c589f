"""Mistakes on the command line: each error names the cure, which works."""

import pytest

from mastra_deployer.cli.main import main
from tests.sample_projects import ECHO, write_project


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    return write_project(tmp_path_factory.mktemp("hints") / "app", {"src/mastra/index.py": ECHO})


@pytest.fixture
def run(app, capsys, monkeypatch):
    """Run the command in this process; returns the exit code and both outputs."""
    monkeypatch.chdir(app)

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        return ended.value.code, *capsys.readouterr()

    return call


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("start", ["There is no bundle in", "Run: mastra build."]),
        ("start acme", ["`mastra start --help`"]),
        ("targets --dir nowhere", ["nowhere' does not exist", "--dir PROJECT"]),
        ("deploy acme --prod --smoke-timeout -1", ["'--smoke-timeout'", "x>0"]),
        ("deploy acme --smoke-timeout nan", ["--smoke-timeout nan is not a valid number"]),
        ("deploy acme --env-file .", ["'.' is a directory"]),
        ("check --env-file /dev/null", ["'/dev/null' is neither a file nor a pipe"]),
        ("bundle acme -s app=a -o /", ["'/' is not a bundle of mastra", "--output"]),
        ("bundle acme -s app=a -o pyproject.toml", ["pyproject.toml' is not a bundle of mastra"]),
        ("deployments acme -s app=\udcff", ["-s 'app' contains bytes that are not UTF-8"]),
        ("deploy", ["needs a target", "`mastra deploy TARGET`", "acme"]),
        ("bundle", ["`mastra bundle TARGET`"]),
        ("preview", ["`mastra preview TARGET`"]),
        ("doctor", ["`mastra doctor TARGET`"]),
        ("logs", ["`mastra logs --target TARGET`"]),
        ("env list", ["`mastra env list --target TARGET`"]),
        ("promote x", ["`mastra promote --target TARGET`"]),
        ("logs acme", ["'acme' is a target", "`mastra logs --target acme`"]),
        ("rollback acme", ["'acme' is a target", "`mastra rollback --target acme`"]),
        ("promote acme", ["'acme' is a target", "`mastra promote --target acme`"]),
        ("promote", ["'ID'", "`mastra deployments`"]),
        ("canary x 10 --target acme", ["'--percent'", "`mastra canary ID --percent N`"]),
        ("canary 10 x", ["'--percent'", "`mastra canary ID --percent N`"]),
        ("canary x --percent 10", ["`mastra canary --target TARGET`"]),
        ("deployments -t acme", ["'-t'", "`mastra deployments TARGET`"]),
        ("destroy --target acme", ["'--target'", "`mastra destroy TARGET`"]),
        ("env -t acme", ["'-t'", "`mastra env COMMAND -t`"]),
        ("new ci github", ["`mastra new ci SYSTEM --target TARGET`"]),
        ("new ci github acme", ["--target"]),
        ("new ci", ["SYSTEM is missing", "github, gitlab"]),
        ("new host", ["KIND is missing", "compose"]),
        ("preview server", ["does not support 'preview'", "`mastra start`"]),
        ("preview acme", ["does not support 'preview'", "`mastra targets`"]),
        ("canary x --percent 10 --target oci", ["does not support 'canary'"]),
        ("env list --target oci", ["does not support 'env'"]),
        ("logs --target oci", ["does not support 'logs'"]),
        ("doctor server", ["does not support 'deploy'", "`mastra targets`"]),
        ("check --env eu", ["The target 'server' has no environment 'eu'", "Remove --env"]),
        ("check --python 3.10", ["cannot build for Python '3.10'", "3.11 or newer"]),
        ("check -s app=shop", ["has no setting 'app'", "The target has no settings"]),
        ("-v", ["`mastra COMMAND -v`"]),
        ("dev --host no.such.invalid --port 0", ["does not have the address", "127.0.0.1"]),
        ("dev --host 192.0.2.1 --port 0", ["does not have the address", "127.0.0.1"]),
    ],
)
def test_a_mistake_names_the_cure(run, line, words):
    code, _, err = run(*line.split(" "))
    assert code in (2, 5)
    assert err.startswith("error: ") and "\n  " in err
    assert [word for word in words if word not in err] == [], err
    if "Available" in err:
        assert "server" not in err, "nothing is deployed to it"


def test_the_option_for_a_target_is_named_only_where_it_exists(run):
    assert "--target" in run("logs", "a", "b")[2]
    assert "--target" not in run("check", "a", "b")[2]


def test_a_misspelled_target_is_no_package_to_install(run):
    _, _, err = run("check", "vercell")
    assert "Did you mean 'vercel'?" in err
    assert "vercell" not in err.partition("\n")[2], "anybody can publish such a package"


def test_a_group_without_a_command_shows_its_help(run):
    code, _, err = run("env")
    assert code == 2
    assert err.startswith("Usage: mastra env") and "sync" in err


@pytest.mark.parametrize("group", ["env", "runs", "db", "new"])
def test_the_help_of_a_group_shortens_no_summary(run, group):
    code, out, _ = run(group, "--help")
    _, _, rows = out.partition("Commands:\n")
    assert code == 0 and "..." not in rows
    assert rows.rstrip().endswith(".") and max(map(len, rows.splitlines())) <= 80


def test_targets_are_a_table_of_commands(run):
    code, out, _ = run("targets")
    assert code == 0
    head, *rows = out.split("\n\n")[0].splitlines()
    columns = head.split()
    table = {row[:16].strip(): row[16:].split() for row in rows}
    assert {"acme", "oci", "server", "vercel"} <= set(columns)
    assert table["deploy"][columns.index("acme")] == "yes"
    assert table["deploy"][columns.index("server")] == "-"
    assert table["deploy --dry-run"][columns.index("vercel")] == "yes"
    assert table["deploy --dry-run"][columns.index("acme")] == "yes", "it needs no mastra_plan"
    assert table["deploy --dry-run"][columns.index("server")] == "-"
    assert all(row[: len(row)].rstrip() == row and len(row) <= len(head) + 3 for row in rows)
