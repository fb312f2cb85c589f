"""Replace credentials in log lines: fields with the name of a credential, and known values."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from mastra_core.secret import count_secrets, iter_secret_values

__all__ = (
    "get_secret_values",
    "mask_credentials",
    "mask_json",
    "mask_nested_secrets",
    "mask_secret_values",
)

MASK = "****"
_SCALARS = frozenset((str, int, float, bool, type(None)))
# The attributes of dataclasses, of msgspec's structs, of attrs and of pydantic's models.
_MODEL_ATTRIBUTES = (
    "__dataclass_fields__",
    "__struct_fields__",
    "__attrs_attrs__",
    "model_dump",
)
_MIN_VALUE = 6  # characters; a shorter value occurs in ordinary text
_secret_values: tuple[str, ...] = ()
_secret_count = -1  # what count_secrets returned when the values were collected
_MAX_CACHED_NAME = 64  # characters
_MASKED_NAMES = frozenset(
    "password token secret key apikey auth authorization bearer bearertoken jwt credential "
    "clientsecret privatekey refresh ssn cookie".split()
)
_MASKED_ENDINGS = ("password", "token", "secret", "apikey", "accesskey", "authorization", "cookie")
_NUMBER_CHARACTERS = "0123456789+-.eE,"  # of a number, or of several numbers in a list
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s,:{}\[\]"]+')  # a string of JSON, or another scalar
_VARIABLE_ENDINGS = ("_PASS", "_PWD", "SECRET_KEY", "PRIVATE_KEY", "ENCRYPTION_KEY", "SIGNING_KEY")


def mask_credentials(fields: Mapping[Any, Any]) -> dict[str, Any]:
    """Return ``fields`` with ``****`` in place of credentials, which are found by their keys.

    Nested mappings, lists, sets, dataclasses and models are masked too. If a key contains dots, its
    last part is checked as well.

    :param fields: any mapping.
    """
    return {str(key): _mask_value(str(key), value) for key, value in fields.items()}


def _mask_value(key: str, value: Any) -> Any:
    if _is_credential_name(key):
        return MASK
    return value if type(value) in _SCALARS else _mask_nested(value)


def _is_credential_name(key: str) -> bool:
    return (
        _matches_credential(key) if len(key) > _MAX_CACHED_NAME else _matches_credential_cached(key)
    )


def _matches_credential(key: str) -> bool:
    name = key.lower().replace("_", "").replace("-", "")
    return name.endswith(_MASKED_ENDINGS) or name.rpartition(".")[2] in _MASKED_NAMES


# The fields of log lines have the same names again and again.
_matches_credential_cached = functools.lru_cache(maxsize=512)(_matches_credential)


def _mask_nested(value: Any) -> Any:
    kind = type(value)
    if kind in _SCALARS:
        return value
    if isinstance(value, Mapping):
        return mask_credentials(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_mask_nested(each) for each in value]
    if any(hasattr(kind, name) for name in _MODEL_ATTRIBUTES):
        return _mask_model(value)
    return value


def _mask_model(value: Any) -> Any:
    """Return the masked data of a model; the name of its type if the data cannot be read."""
    try:
        return _mask_nested(msgspec.to_builtins(value, enc_hook=_encode_object, str_keys=True))
    except Exception:  # noqa: BLE001  # a user's serializer may raise anything; its line is kept
        return type(value).__name__


def _encode_object(value: Any) -> Any:
    """Convert an object to data whose keys can be checked, or to a text."""
    return value.model_dump() if hasattr(type(value), "model_dump") else str(value)


def mask_nested_secrets(value: Any) -> Any:
    """Return a value in which no text shows the value of a known secret.

    An object whose text shows a secret is replaced by its text, with ``****`` in place of the
    secret.

    :param value: a copy of data that ``mask_credentials`` has made.
    """
    kind = type(value)
    if kind is str:
        return mask_secret_values(value)
    if kind in _SCALARS:
        return value
    if kind is dict:
        return {mask_secret_values(key): mask_nested_secrets(each) for key, each in value.items()}
    if kind is list:
        return [mask_nested_secrets(each) for each in value]
    for convert in (str, repr) if get_secret_values() else ():
        with contextlib.suppress(Exception):  # a user's class may raise anything
            text = convert(value)
            masked = mask_secret_values(text)
            if masked != text:
                return masked
    return value


def mask_secret_values(text: str, values: Sequence[str] | None = None) -> str:
    """Return ``text`` with ``****`` in place of the values of secrets that the process knows.

    :param text: a text for people, such as a message.
    :param values: an earlier result of ``get_secret_values``; by default, the values are read now.
    """
    for value in get_secret_values() if values is None else values:
        if value in text:
            text = text.replace(value, MASK)
    return text


def mask_json(text: str, values: Sequence[str] | None = None) -> str:
    """Return JSON with ``****`` in place of the values of secrets; the result is JSON as well.

    A number that contains the value of a secret becomes a string.

    :param text: one or several lines of JSON.
    :param values: an earlier result of ``get_secret_values``; by default, the values are read now.
    """
    secrets = get_secret_values() if values is None else values
    masked = mask_secret_values(text, secrets)
    if masked != text and any(not value.strip(_NUMBER_CHARACTERS) for value in secrets):
        return _TOKEN.sub(_quote_masked_number, masked)
    return masked


def _quote_masked_number(match: re.Match[str]) -> str:
    token = match[0]
    return f'"{token}"' if MASK in token and not token.startswith('"') else token


def get_secret_values() -> tuple[str, ...]:
    """Return the values of each ``Secret``, and of variables with the name of a credential.

    The values are collected again after a ``Secret`` was created or has revealed another value.
    """
    global _secret_values, _secret_count  # read for every log line
    count = count_secrets()
    if count != _secret_count:
        _secret_values, _secret_count = _collect_secret_values(), count
    return _secret_values


def _collect_secret_values() -> tuple[str, ...]:
    found = {*iter_secret_values(), *_iter_environment_values()}
    long = {value for value in found if len(value) >= _MIN_VALUE}
    long |= {repr(value)[1:-1] for value in long}
    long |= {json.dumps(value, ensure_ascii=False)[1:-1] for value in long}
    return tuple(sorted(long, key=len, reverse=True))  # a value may contain another one


def _iter_environment_values() -> Iterator[str]:
    """Yield the values of variables that are named like credentials, and passwords in URLs."""
    for name, value in os.environ.items():
        is_credential = _is_credential_name(name) or name.upper().endswith(_VARIABLE_ENDINGS)
        if is_credential and not value.isdigit() and not value.startswith("/"):
            yield value.strip()
        elif "://" in value and "@" in value:
            from urllib.parse import unquote

            for url in (value, *value.replace(",", " ").split()):  # of several servers
                password = url.partition("://")[2].rpartition("@")[0].partition(":")[2]
                yield from (password, unquote(password))
