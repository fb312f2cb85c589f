"""Test that log lines show no known secret, and that ordinary text stays."""

import dataclasses
import io
import logging

import pytest

from mastra_core import Secret, create_logger

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
    monkeypatch.setenv("LATE", "later-value-3")
    secret = Secret.env("LATE")  # values are collected when a secret is created
    logger.info("stripe-value-1 postgres://app:dbpass-22@db/app later-value-3")
    assert "value" not in read() and "dbpass" not in read()
    assert secret.name == "LATE"


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
