import io
import json
import logging
import re
import sys

import pytest

from mastra_core import Secret, create_logger
from mastra_core.errors import ConfigError
from mastra_core.logger import get_logger
from mastra_core.logs import FileTransport


@pytest.fixture
def build_logger():
    """Make a logger; gives what it wrote."""
    streams = []

    def build(format="json", level="debug", name="app"):
        streams.append(io.StringIO())
        return create_logger(name, level, format=format, stream=streams[-1])

    build.text = lambda: streams[-1].getvalue()  # noqa: PLW0108  # the last one at that time
    build.lines = lambda: [json.loads(line) for line in streams[-1].getvalue().splitlines()]
    yield build
    for name in ("app", "mastra"):
        logging.getLogger(name).handlers = []


def test_json_line(build_logger):
    build_logger().warning("%d left", 3, extra={"user": "ann", "ids": [1, 2]})
    (line,) = build_logger.lines()
    assert line.pop("time").endswith("Z")
    assert line == {"level": "warn", "name": "app", "msg": "3 left", "user": "ann", "ids": [1, 2]}


def test_console_line(build_logger):
    build_logger("console").error("gone", extra={"user": "ann"})
    assert build_logger.text().endswith("error app: gone user=ann\n")


FORGED = "\x1b]0;title\x07\x1b[2J\r\n12:00:00 error app: forged\u202e"


@pytest.mark.parametrize("tracebacks", ["", "full"])
def test_text_of_a_caller_on_the_console(build_logger, monkeypatch, tracebacks):
    """It can neither change the terminal nor look like another line."""
    monkeypatch.setenv("MASTRA_TRACEBACKS", tracebacks)
    logger = build_logger("console")
    logger.warning("got %s", FORGED, extra={"path": FORGED})
    try:
        raise ValueError(FORGED)
    except ValueError:
        logger.exception("failed")
    text = build_logger.text()
    assert not {"\x1b", "\x07", "\r", "\u202e"} & {*text}
    starts = [line for line in text.splitlines() if not line.startswith("    ")]
    assert [line.split(" ")[1] for line in starts] == ["warn", "error"]
    assert "\\x1b]0;title\\x07" in starts[0]


def test_a_message_of_several_lines_on_the_console(build_logger):
    build_logger("console").warning("Grüße:\n\t1. one\n\t2. two")
    assert build_logger.text().endswith(" app: Grüße:\n    \t1. one\n    \t2. two\n")


def test_console_format_in_development(build_logger, monkeypatch):
    monkeypatch.setenv("MASTRA_DEV", "true")
    build_logger("auto").info("hello")
    assert build_logger.text().endswith(" info  app: hello\n")
    build_logger("json").info("hello")
    assert build_logger.lines()[0]["msg"] == "hello"


@pytest.mark.parametrize("no_color", ["", "1"])
def test_colours_on_a_terminal(monkeypatch, no_color):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    create_logger("app", stream=stream).error("gone", extra={"user": "ann"})
    assert ("\x1b[31merror\x1b[0m" in stream.getvalue()) is not bool(no_color)
    assert "gone" in stream.getvalue() and "user=ann" in stream.getvalue()


def test_json_without_a_terminal(build_logger):
    build_logger("auto").info("hello")
    assert build_logger.lines()[0]["msg"] == "hello"


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        ("debug", ["debug", "info", "warn", "error"]),
        ("info", ["info", "warn", "error"]),
        ("warn", ["warn", "error"]),
        ("error", ["error"]),
        ("silent", []),
    ],
)
def test_levels(build_logger, level, heard):
    logger = build_logger(level=level)
    for method in (logger.debug, logger.info, logger.warning, logger.error):
        method("x")
    assert [line["level"] for line in build_logger.lines()] == heard


def test_framework_logs_to_the_same_handler(build_logger):
    build_logger(level="error")
    get_logger("mastra.agents").error("agent failed")
    get_logger("mastra.agents").info("not heard")
    assert [line["name"] for line in build_logger.lines()] == ["mastra.agents"]


def test_second_logger_replaces_the_handler(build_logger):
    build_logger()
    build_logger().info("once")
    assert len(build_logger.lines()) == 1


@pytest.mark.parametrize("format", ["json", "console"])
@pytest.mark.parametrize(
    "name",
    "password token secret key api_key apiKey API-KEY auth authorization bearer jwt credential "
    "client_secret private_key refresh ssn cookie access_token refresh_token set-cookie "
    "x-api-key AWS_SECRET_ACCESS_KEY db_password".split(),
)
def test_credential_fields_are_masked(build_logger, format, name):
    secrets = {name: "hunter2", f"http.{name}": "hunter2", "nested": {"deep": {name: "hunter2"}}}
    build_logger(format).info("x", extra={**secrets, "list": [[{name: "hunter2"}]]})
    assert "hunter2" not in build_logger.text()
    assert build_logger.text().count("****") == 4


def test_other_fields_are_not_masked(build_logger):
    build_logger().info("x", extra={"input_tokens": 3, "keyboard": "de", "author": "ann"})
    assert {"input_tokens": 3, "keyboard": "de", "author": "ann"}.items() <= (
        build_logger.lines()[0].items()
    )


def test_extra_field_cannot_replace_a_standard_field(build_logger):
    build_logger().info("x", extra={"level": "error", "time": "never"})
    (line,) = build_logger.lines()
    assert line["level"] == "info"
    assert line["time"] != "never"


def test_value_without_a_json_form_is_text(build_logger):
    build_logger().info("x", extra={"what": object(), "secret_thing": Secret("hunter2")})
    assert build_logger.lines()[0]["what"].startswith("<object")
    assert "hunter2" not in build_logger.text()


@pytest.mark.parametrize("format", ["json", "console"])
def test_exception(build_logger, format):
    logger = build_logger(format)
    try:
        raise ValueError("broken")
    except ValueError:
        logger.exception("it failed")
    text = build_logger.text()
    assert "ValueError: broken" in text
    assert "test_logger.py" in text
    if format == "json":
        assert build_logger.lines()[0]["error"].startswith("Traceback")


def fail_inside(depth):
    if depth:
        return fail_inside(depth - 1)
    return json.loads("{")  # its frames are those of the standard library


def test_the_console_names_an_exception_in_one_line(build_logger):
    logger = build_logger("console", level="info")
    try:
        fail_inside(0)
    except ValueError:
        logger.exception("it failed", extra={"path": "/x"})
    first, second = build_logger.text().splitlines()
    assert "it failed: JSONDecodeError: Expecting" in first and first.endswith(" path=/x")
    assert re.search(r"\(\S*test_logger\.py:\d+ in fail_inside\)", first)
    assert re.fullmatch(r" {4}\S*test_logger\.py:\d+ in test_the_console\w+", second)


def test_a_cause_a_group_and_a_long_message_are_one_line(build_logger):
    logger = build_logger("console", level="info")
    try:
        try:
            exec("raise OSError('no disk\\n' + 'x' * 400)")
        except OSError as error:
            raise RuntimeError("the job failed") from error
    except RuntimeError as error:
        group = ExceptionGroup("many", [error])
        logger.log(logging.ERROR, "it failed", exc_info=group)
    (line,) = [each for each in build_logger.text().splitlines() if each[:1] != " "]
    assert "it failed: RuntimeError: the job failed, caused by OSError: no disk xxx" in line
    assert "x..." in line and len(line) < 600


def test_debug_shows_every_frame(build_logger, monkeypatch):
    for settings, variable in (({"level": "debug"}, ""), ({"level": "info"}, "full")):
        monkeypatch.setenv("MASTRA_TRACEBACKS", variable)
        logger = build_logger("console", **settings)
        try:
            fail_inside(0)
        except ValueError:
            logger.exception("it failed")
        assert "Traceback" in build_logger.text() and "json/decoder.py" in build_logger.text()


@pytest.mark.parametrize("settings", [{"level": "loud"}, {"format": "xml"}])
def test_unknown_level_or_format(settings):
    with pytest.raises(ConfigError, match="does not exist"):
        create_logger("app", **settings)


@pytest.mark.parametrize("format", ["json", "console"])
def test_text_that_utf_8_cannot_express(build_logger, format):
    build_logger(format).warning("got %s", "\ud83d", extra={"name_": "\ud83d"})
    assert build_logger.text().count("\ufffd") == 2


def test_a_process_without_standard_error_logs_to_its_transports_only(tmp_path, monkeypatch):
    """A parent process may close the stream, and a program without a console has none."""
    monkeypatch.setattr(sys, "stderr", None)
    logger = create_logger("app", transports={"file": FileTransport(tmp_path / "log")})
    logger.info("started")
    assert json.loads((tmp_path / "log").read_text())["msg"] == "started"
