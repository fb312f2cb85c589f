"""What others write is printed with visible escapes, and without the values of variables."""

import io
import json
import re
import unicodedata
from pathlib import Path

import pytest

from mastra_core.logs.escape import escape_line, escape_text
from mastra_deployer.cli.main import main
from mastra_deployer.dev.app_error import AppProblem
from mastra_deployer.dev.console import Screen
from mastra_deployer.output.masking import _masked, add_masked_values, mask
from tests.deployer.attacks.test_hostile_checkouts import Outcome, run_on_terminal
from tests.deployer.attacks.verbs import PLATFORM_COMMANDS, build_arguments
from tests.repository import TESTS
from tests.sample_projects import ECHO, write_project

# The clipboard, colours, a cursor that goes up, a line that is overwritten, reversed letters, an
# 8-bit control sequence, a hidden tag, and half of a surrogate pair.
EVIL = "a\x1b]52;c;ZXZpbA==\x07b\x1b[31mc\x1b[1A\rd\u202ee\x9b2Jf\U000e0041g\u2028h"
SHOWN = r"a\x1b]52;c;ZXZpbA==\x07b\x1b[31mc\x1b[1A\rd\u202ee\x9b2Jf\U000e0041g\u2028h"
HONEST = "Grüße, 你好, مرحبا, 👩‍💻 \t [red] {x} \\n 100 %"
VALUE = "value-of-the-app-4711"


def find_unsafe(text):
    return {
        character
        for character in text
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        and character not in "\n\t\u200d"
    }


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    config = (
        '[tool.mastra.targets.hostile]\ndeployer = "./hostile.py"\n'
        '[tool.mastra.env]\noptional = ["GREETING", "SHORT", "COMMON"]\n'
    )
    source = (TESTS / "deployer/attacks/hostile_deployer.py").read_text()
    root = write_project(
        tmp_path / "app", {"src/mastra/index.py": ECHO, "hostile.py": source}, config
    )
    monkeypatch.chdir(root)
    known = {"MASTRA_TRUST": str(root / "hostile.py"), "HOSTILE": EVIL, "GREETING": VALUE}
    known |= {"HOSTILE_TOKEN": "hostile-token-1", "SHORT": "a", "COMMON": "production"}
    for name, value in known.items():
        monkeypatch.setenv(name, value)
    yield root
    _masked.clear()


@pytest.fixture
def run(capsys):
    def run_command(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        return Outcome(ended.value.code or 0, capsys.readouterr())

    return run_command


VERBS = [*sorted(PLATFORM_COMMANDS), "targets"]


def get_arguments(verb):
    words, command = PLATFORM_COMMANDS.get(verb, ((verb,), None))
    return build_arguments(words, command, "hostile") if command else list(words)


@pytest.mark.parametrize("verb", VERBS)
def test_every_command_shows_escapes(checkout, run, verb):
    for more in ([], ["-v"]):
        done = run(*get_arguments(verb), *more)
        assert find_unsafe(done.out + done.err) == set()
        if verb not in ("env diff", "env sync"):
            assert SHOWN in done.out + done.err, (done.out, done.err)


@pytest.mark.parametrize("verb", VERBS)
def test_honest_text_is_shown_as_it_is(checkout, run, monkeypatch, verb):
    monkeypatch.setenv("HOSTILE", HONEST)
    done = run(*get_arguments(verb))
    if verb not in ("env diff", "env sync"):
        assert HONEST in done.out + done.err, (done.out, done.err)


@pytest.mark.parametrize("verb", VERBS)
def test_json_keeps_the_text(checkout, run, verb):
    if verb == "logs":
        assert json.loads(run(*get_arguments(verb), "--json").out)["text"] == EVIL
        return
    done = run(*get_arguments(verb), "--json")
    assert find_unsafe(done.out) == set()
    json.loads(done.out)


def test_a_forged_line_stays_in_its_line(checkout, run, monkeypatch):
    monkeypatch.setenv("HOSTILE", "x\nhttps://evil.example is live (production, p1)")
    lines = run("deployments", "hostile").out.splitlines()
    assert len(lines) == 1


def test_a_spinner_reads_no_markup(checkout, monkeypatch):
    monkeypatch.setenv("HOSTILE", "[red]x[/nope] \x1b]52;c;ZXZpbA==\x07")
    monkeypatch.setenv("TERM", "xterm")
    code, output = run_on_terminal(checkout, "", "promote", "p1", "--target", "hostile")
    assert code == 0, output
    assert "[red]x[/nope] \\x1b]52" in output
    assert "\x1b]52" not in output


def test_names_of_the_project_are_shown_escaped(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "x\x1b[31m\u202ey"
    (tmp_path / "pyproject.toml").write_text(
        "[tool.mastra]\nentry = "
        + json.dumps(name)
        + "\n[tool.mastra.targets]\n"
        + json.dumps(name)
        + " = {}\n"
    )
    for arguments in (["doctor"], ["targets"], ["deployments", name], ["--" + name], [name]):
        done = run(*arguments)
        assert find_unsafe(done.out + done.err) == set()
        assert "\\x1b" in done.out + done.err or arguments == ["targets"], arguments


def test_mastra_dev_shows_escapes(capsys, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    screen, url = Screen(), "http://127.0.0.1:3000"
    example = {"path": f"/{EVIL}", "method": "GET", "body": None}
    registry = {"kind": "asgi", "routes": [("GET", EVIL)], "example": example}
    screen.step(EVIL)
    screen.note(EVIL, EVIL)
    screen.show_ready(EVIL, url, registry, 1.0)
    screen.show_reload([EVIL], 1.0)
    problem = AppProblem(message=EVIL, hint=EVIL, file=EVIL, line=1, code=((1, EVIL),))
    screen.show_problem(problem, url, has_version=True)
    text = capsys.readouterr().err
    assert find_unsafe(text) == set()
    assert text.count(SHOWN) == 11, text


@pytest.mark.parametrize("verb", ["env set", "rollback", "canary", "doctor", "logs", "promote"])
@pytest.mark.parametrize("form", ["text", "json", "verbose"])
def test_values_of_variables_are_masked(checkout, run, monkeypatch, verb, form):
    monkeypatch.setenv("HOSTILE", f"the value {VALUE} or hostile-token-1 is a wrong production")
    more = {"text": [], "json": ["--json"], "verbose": ["-v"]}[form]
    done = run(*get_arguments(verb), *more)
    # The result of `promote` is the platform's own description of a deployment.
    output = done.err if verb == "promote" else done.out + done.err
    assert VALUE not in output and "hostile-token-1" not in output
    if (verb, form) != ("promote", "json"):
        assert "the value **** or **** is a wrong production" in output, output


def test_a_value_from_standard_input_is_masked(checkout, run, monkeypatch):
    monkeypatch.setenv("HOSTILE", "typed-secret-1")
    monkeypatch.setattr("sys.stdin", type("Stdin", (), {"read": lambda self: "typed-secret-1\n"})())
    done = run("env", "set", "OTHER", "--stdin", "--target", "hostile")
    assert done.err.startswith("error: **** is not a valid value")


def test_a_value_from_standard_input_that_is_no_text(checkout, run, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"k\xff"), encoding="utf-8"))
    done = run("env", "set", "OTHER", "--stdin", "--target", "hostile")
    assert (done.code, done.err.partition("\n")[0]) == (
        2,
        "error: The value on standard input is not UTF-8.",
    )


def test_a_key_of_several_lines_is_masked_in_each_form():
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\nabcdefghijkl\n-----END KEY-----\n"
    try:
        add_masked_values([key])
        for text in (key, " ".join(key.split()), repr(key), "line abcdefghijkl"):
            assert "abcdefghijkl" not in mask(text)
    finally:
        _masked.clear()


@pytest.mark.parametrize("character", [chr(n) for n in range(32)] + ["\x7f", "\x80", "\x9b"])
def test_each_control_character_is_escaped(character):
    if character in "\t\n":
        assert escape_text(character) == character
    else:
        assert escape_text(character).isprintable()
    assert "\n" not in escape_line(f"a{character}b")


def test_every_unsafe_category_is_escaped():
    kept = {"\t", "\n", "\u200c", "\u200d"}
    for number in range(0x110000):
        character = chr(number)
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") and character not in kept:
            assert escape_text(character) != character, hex(number)
    for character in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c":
        assert escape_text(character) != character


# Text of programs that another process runs, and that mastra reads.
PROBES = {
    "project/interpreters.py",
    "bundler/verify/boot.py",
    "kit/runtimes/bundled_python.py",
    "kit/runtimes/event_handler.py",
    "kit/runtimes/serverless_launcher.py",
}


def test_nothing_else_prints():
    """Text is printed in the places that escape it, and nowhere else."""
    import mastra_deployer

    root = Path(mastra_deployer.__file__).parent
    printing = re.compile(r"click\.s?echo\(|(?<![\w.])print\(|sys\.std(out|err)\.write\(|Console\(")
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if "template" not in path.parts and printing.search(path.read_text(encoding="utf-8"))
    }
    assert found == {
        "cli/main.py",
        "cli/new/new_ci.py",  # a command in the file that it writes
        "cli/terminal.py",
        "dev/console.py",
        "kit/runtimes/preview_handler.py",  # the address, which is escaped there
        "dev/middleware_child.py",  # the path is percent-encoded there
        "testing/sample_app.py",
    } | {name for name in found if "_child" in name or name in PROBES}
