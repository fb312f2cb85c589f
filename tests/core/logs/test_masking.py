"""Test that log lines show no known secret, and that ordinary text stays."""

import dataclasses
import io
import json
import logging

import pydantic
import pytest

from mastra_core import Secret, create_logger
from mastra_core.logs import OtlpTransport
from mastra_core.telemetry.content import encode_content
from tests.scripted_server import serve

VALUE = 'pa"ss\\w\u00f6rd-17'


@pytest.fixture(params=["json", "console"])
def log(request):
    stream = io.StringIO()
    logger = create_logger("masked", format=request.param, stream=stream)
    yield logger, stream.getvalue
    for name in ("masked", "mastra"):
        logging.getLogger(name).handlers = []


def test_the_value_of_a_secret_is_masked(log):
    logger, read = log
    secret = Secret(VALUE)
    logger.info("sent %s", VALUE, extra={"note": f"x{VALUE}y", "list": [VALUE]})
    try:
        raise ValueError(f"refused {secret.reveal()}")
    except ValueError:
        logger.exception("failed")
    assert "ss\\w" not in read() and "rd-17" not in read()
    assert read().count("****") >= 4
    assert "sent" in read() and "refused" in read()


def test_values_of_variables_are_masked(log, monkeypatch):
    logger, read = log
    monkeypatch.setenv("STRIPE_API_KEY", "stripe-value-1")
    monkeypatch.setenv("DATABASE_URL", "postgres://app:dbpass-22@db/app")
    monkeypatch.setenv("REDIS_URLS", "redis://:first-33@one,redis://:second%2F44@two")
    monkeypatch.setenv("LATE", "later-value-3")
    secret = Secret.env("LATE")  # values are collected when a secret is created
    logger.info("stripe-value-1 postgres://app:dbpass-22@db/app later-value-3")
    logger.info("first-33 second%2F44 second/44")
    assert "value" not in read() and "dbpass" not in read()
    assert "first" not in read() and "second" not in read()
    assert secret.name == "LATE"


def test_a_variable_that_is_set_later_is_masked(log, monkeypatch):
    logger, read = log
    secret = Secret.env("LATE")
    logger.info("start")
    for value in ("later-value-4", "other-value-5"):
        monkeypatch.setenv("LATE", value)
        logger.info("use %s", secret.reveal())
    assert "value" not in read() and read().count("****") == 2


def test_ordinary_values_are_not_masked(log, monkeypatch):
    logger, read = log
    monkeypatch.setenv("MAX_TOKEN", "100000")
    monkeypatch.setenv("TLS_PRIVATE_KEY", "/etc/app/key.pem")
    short = Secret("abc")
    logger.info("100000 of /etc/app/key.pem abc")
    assert "100000 of /etc/app/key.pem abc" in read()
    assert short == Secret("abc")


def test_fields_of_objects_are_masked(log):
    @dataclasses.dataclass
    class Login:
        user: str
        password: str

    logger, read = log
    logger.info(
        "in", extra={"login": Login("ann", "hunter2-x"), "all": [Login("bob", "hunter3-x")]}
    )
    assert "hunter" not in read() and "ann" in read() and "bob" in read()


def test_a_line_with_a_masked_number_is_json():
    stream = io.StringIO()
    logger = create_logger("masked", format="json", stream=stream)
    secret = Secret("12345678")
    logger.info('pin "12345678"', extra={"pin": 12345678, "all": [-12345678, 1.512345678, 7]})
    line = json.loads(stream.getvalue())
    assert line["msg"] == 'pin "****"'
    assert (line["pin"], line["all"]) == ("****", ["-****", "1.5****", 7])
    assert json.loads(encode_content({"pin": 12345678}, 100)) == {"pin": "****"}
    assert secret.reveal() == "12345678"


def test_a_secret_with_a_comma_in_a_list_of_numbers():
    secret = Secret("123456,789012")
    assert json.loads(encode_content([9123456, 7890120, 1], 100)) == ["9****0", 1]
    assert secret.reveal() == "123456,789012"


def test_fields_of_models_are_masked(log):
    class Login(pydantic.BaseModel):
        user: str
        password: str = "hunter2-x"

    @dataclasses.dataclass
    class Request:
        login: Login

    logger, read = log
    fields = {"login": Login(user="ann"), "request": Request(Login(user="bob")), "set": {("a",)}}
    logger.info("in", extra=fields)
    assert "hunter" not in read() and "ann" in read() and "bob" in read()


class Unreadable(pydantic.BaseModel):
    password: str = "hunter2-x"
    parent: object = None

    @pydantic.field_serializer("parent")
    def fail(self, _):
        raise ValueError("no data")


def test_a_model_that_cannot_be_read_is_the_name_of_its_type(log):
    """The line is written, and shows no field of the model."""
    ring = pydantic.create_model("Ring", parent=(object, None))()
    ring.parent = ring
    logger, read = log
    logger.info("in", extra={"login": Unreadable(), "all": [ring], "user": "ann"})
    assert "Unreadable" in read() and "Ring" in read() and "ann" in read()
    assert "hunter" not in read()


class Collector(logging.Handler):
    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)


class Client:
    """An object of the application whose text shows its password."""

    def __str__(self):
        return f"client with {VALUE}"


class Broken:
    """An object of the application without a text."""

    def __str__(self):
        raise ValueError("no text")


UNCHANGED = object()
FIELDS = {
    "text": f"x{VALUE}y",
    "nested": {"deep": [{"text": VALUE, VALUE: 1}]},
    "set": {VALUE},
    "error": ValueError(f"refused {VALUE}"),
    "client": Client(),
    "bytes": b"refused pass-word-18",
}


def test_known_secrets_in_the_fields_of_a_handler_s_record_are_masked():
    handler = Collector()
    logger = create_logger("masked", stream=False, transports={"own": handler})
    secrets = [Secret(VALUE), Secret("pass-word-18")]
    broken = Broken()
    logger.info("sent", extra={**FIELDS, "other": UNCHANGED, "number": 17, "broken": broken})
    (record,) = handler.records
    assert record.broken is broken
    for name in FIELDS:
        value = getattr(record, name)
        assert "rd-17" not in str(value) and "rd-18" not in str(value)
        assert "****" in str(value)
    assert record.nested == {"deep": [{"text": "****", "****": 1}]}
    assert (record.other, record.number) == (UNCHANGED, 17)
    assert len(secrets) == 2


def test_known_secrets_in_exported_fields_are_masked(tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("default login ann password s3cret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    secrets = [Secret(VALUE), Secret("pass-word-18")]
    with serve() as server:
        transport = OtlpTransport(server.url)
        record = logging.makeLogRecord({"name": "shop", "msg": "sent", "levelno": 20, **FIELDS})
        transport.write([transport.format(record)])
        transport.close()
    ((_, _, authorization),) = server.seen
    assert authorization is None
    (body,) = server.bodies
    assert all(name.encode() in body for name in FIELDS)
    assert b"rd-17" not in body and b"rd-18" not in body and body.count(b"****") >= len(FIELDS)
    assert len(secrets) == 2
