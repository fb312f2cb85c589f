import io
import json
import logging

import pytest

from mastra_core import Secret, create_logger
from mastra_core.errors import ConfigError
from mastra_core.logger import logger_of


@pytest.fixture
def written():
    """Make a logger; gives what it wrote."""
    streams = []

    def make(format="json", level="debug", name="app"):
        streams.append(io.StringIO())
        return create_logger(name, level, format=format, stream=streams[-1])

    make.text = lambda: streams[-1].getvalue()  # noqa: PLW0108  # the last one at that time
    make.lines = lambda: [json.loads(line) for line in streams[-1].getvalue().splitlines()]
    yield make
    for name in ("app", "mastra"):
        logging.getLogger(name).handlers = []


def test_a_json_line(written):
    written().warning("%d left", 3, extra={"user": "ann", "ids": [1, 2]})
    (line,) = written.lines()
    assert line.pop("time").endswith("Z")
    assert line == {"level": "warn", "name": "app", "msg": "3 left", "user": "ann", "ids": [1, 2]}


def test_a_line_for_people(written):
    written("console").error("gone", extra={"user": "ann"})
    assert written.text().endswith("error app: gone user=ann\n")


def test_in_development_lines_are_for_people_wherever_they_go(written, monkeypatch):
    monkeypatch.setenv("MASTRA_DEV", "true")
    written("auto").info("hello")
    assert written.text().endswith(" info  app: hello\n")
    written("json").info("hello")
    assert written.lines()[0]["msg"] == "hello"


@pytest.mark.parametrize("no_color", ["", "1"])
def test_a_terminal_has_colours_unless_the_user_refuses(monkeypatch, no_color):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    create_logger("app", stream=stream).error("gone", extra={"user": "ann"})
    assert ("\x1b[31merror\x1b[0m" in stream.getvalue()) is not bool(no_color)
    assert "gone" in stream.getvalue() and "user=ann" in stream.getvalue()


def test_a_stream_that_is_no_terminal_gets_json(written):
    written("auto").info("hello")
    assert written.lines()[0]["msg"] == "hello"


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
def test_levels(written, level, heard):
    logger = written(level=level)
    for method in (logger.debug, logger.info, logger.warning, logger.error):
        method("x")
    assert [line["level"] for line in written.lines()] == heard


def test_the_framework_speaks_there_too(written):
    written(level="error")
    logger_of("mastra.agents").error("agent failed")
    logger_of("mastra.agents").info("not heard")
    assert [line["name"] for line in written.lines()] == ["mastra.agents"]


def test_made_twice_it_speaks_once(written):
    written()
    written().info("once")
    assert len(written.lines()) == 1


@pytest.mark.parametrize("format", ["json", "console"])
@pytest.mark.parametrize(
    "name",
    "password token secret key api_key apiKey API-KEY auth authorization bearer jwt credential "
    "client_secret private_key refresh ssn cookie access_token refresh_token set-cookie "
    "x-api-key AWS_SECRET_ACCESS_KEY db_password".split(),
)
def test_a_field_named_like_a_credential_is_hidden(written, format, name):
    secrets = {name: "hunter2", f"http.{name}": "hunter2", "nested": {"deep": {name: "hunter2"}}}
    written(format).info("x", extra={**secrets, "list": [[{name: "hunter2"}]]})
    assert "hunter2" not in written.text()
    assert written.text().count("****") == 4


def test_other_fields_are_not(written):
    written().info("x", extra={"input_tokens": 3, "keyboard": "de", "author": "ann"})
    assert {"input_tokens": 3, "keyboard": "de", "author": "ann"}.items() <= (
        written.lines()[0].items()
    )


def test_a_field_cannot_pose_as_ours(written):
    written().info("x", extra={"level": "error", "time": "never"})
    (line,) = written.lines()
    assert line["level"] == "info"
    assert line["time"] != "never"


def test_what_has_no_json_form_is_written_as_text(written):
    written().info("x", extra={"what": object(), "secret_thing": Secret("hunter2")})
    assert written.lines()[0]["what"].startswith("<object")
    assert "hunter2" not in written.text()


@pytest.mark.parametrize("format", ["json", "console"])
def test_an_exception(written, format):
    logger = written(format)
    try:
        raise ValueError("broken")
    except ValueError:
        logger.exception("it failed")
    text = written.text()
    assert "ValueError: broken" in text
    assert "test_logger.py" in text
    if format == "json":
        assert written.lines()[0]["error"].startswith("Traceback")


@pytest.mark.parametrize("settings", [{"level": "loud"}, {"format": "xml"}])
def test_a_word_that_does_not_exist(settings):
    with pytest.raises(ConfigError, match="does not exist"):
        create_logger("app", **settings)
