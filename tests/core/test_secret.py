import copy
import dataclasses
import io
import json
import logging
import pickle
import traceback

import msgspec
import pytest

from mastra_core import DurableEngine, Mastra, Secret, Server, create_logger
from mastra_core.errors import ConfigError
from mastra_core.schema import dump

VALUE = "s3cr3t-value"


@dataclasses.dataclass(frozen=True)
class Settings:
    token: Secret


def test_print_is_masked():
    secret = Secret(VALUE)
    for text in (
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret:>10}",
        f"{secret!r}",
        f"{secret}",
        "%s %r" % (secret, secret),
        repr([secret]),
        repr({"a": secret}),
        repr(Settings(secret)),
    ):
        assert VALUE not in text
        assert "****" in text


@pytest.mark.parametrize("format", ["json", "console"])
def test_log_is_masked(format):
    stream = io.StringIO()
    logger = create_logger("secrets", "debug", format=format, stream=stream)
    secret = Secret(VALUE)
    logger.info("using %s", secret, extra={"value": secret, "nested": {"deep": [secret]}})
    try:
        raise ValueError(secret)
    except ValueError:
        logger.exception("failed with %r", secret)
    assert VALUE not in stream.getvalue()
    assert stream.getvalue().count("****") >= 4


def test_traceback_is_masked():
    secret = Secret(VALUE)
    try:
        raise RuntimeError(f"refused {secret}", secret)
    except RuntimeError as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert VALUE not in "".join(told.format())


@pytest.mark.parametrize(
    "leave",
    [
        pickle.dumps,
        json.dumps,
        msgspec.json.encode,
        msgspec.msgpack.encode,
        dump,
        copy.deepcopy,
        lambda secret: dump(Settings(secret)),
    ],
)
def test_pickle_is_rejected(leave):
    with pytest.raises(TypeError) as caught:
        leave(Secret(VALUE))
    assert VALUE not in str(caught.value)


def test_equality():
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret.env("a") != Secret("a")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret.env("a")}) == 2


@pytest.mark.parametrize("value", ["", "  ", "\n", None])
def test_empty_secret_is_rejected(value):
    with pytest.raises(ConfigError, match="A secret is empty"):
        Secret(value)


def test_reference_is_read_by_reveal(monkeypatch):
    secret = Secret.env("SOME_TOKEN")
    assert (secret.name, Secret(VALUE).name) == ("SOME_TOKEN", "")
    monkeypatch.delenv("SOME_TOKEN", raising=False)
    with pytest.raises(ConfigError, match="'SOME_TOKEN' is not set"):
        secret.reveal()
    monkeypatch.setenv("SOME_TOKEN", VALUE)
    assert secret.reveal() == VALUE
    assert VALUE not in repr(secret)
    monkeypatch.setenv("SOME_TOKEN", " ")
    with pytest.raises(ConfigError):
        secret.reveal()


def test_attributes_are_fixed():
    with pytest.raises(AttributeError):
        Secret(VALUE).note = "x"
    assert not logging.getLogger("secrets").propagate


def test_value_that_is_not_text():
    with pytest.raises(ConfigError, match="type 'int'") as caught:
        Secret(1234)
    assert "1234" not in str(caught.value)


KEY = "sk-live-SEKRIT"
URL = f"mysql://shop:{KEY}@db/shop"


@pytest.mark.parametrize(
    "build",
    [
        lambda: Server(auth=KEY),
        lambda: Server(auth={"shop": KEY}),
        lambda: Mastra(engine=URL),
        lambda: Mastra(engine=[URL]),
        lambda: DurableEngine(URL),
        lambda: DurableEngine([URL]),
        lambda: Mastra(storage=URL),
        lambda: Mastra(storage=[URL]),
    ],
)
def test_errors_do_not_quote_values_that_may_be_secret(build):
    with pytest.raises(ConfigError) as caught:
        build()
    assert KEY not in f"{caught.value} {caught.value.hint}"
