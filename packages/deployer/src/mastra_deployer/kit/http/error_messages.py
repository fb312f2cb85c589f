"""Read the message and the code of a platform's error response, without secrets.

Platforms use different names for the same fields. Keys are compared without case, because AWS
writes ``Message``. XML is searched with regular expressions, because a parser would expand
entities.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import httpx

from mastra_deployer.output.masking import mask, redact

__all__ = ("extract_code", "extract_credentials", "extract_message", "format_message")

_MAX_LENGTH = 300
_NO_MESSAGE = "no message"
# The keys of a message, the most specific first.
_SENTENCES = ("message", "msg", "detail", "error_description", "description", "title", "reason")
_NESTED = ("error", "err", "errors", "failed")
_DETAILS = ("detail", "details")  # used if an object has no message of its own
_CODE_HEADERS = ("x-amzn-errortype", "x-ms-error-code")
_STATUS = re.compile(r"[A-Z][A-Z_]+")  # Google's name of an error, beside a code that is a number
# No part of the two expressions matches "<", so the search takes linear time for any text.
_XML = re.compile(r"<(?:\w+:)?(Code|Message)\b[^<>]*>([^<]*)<")
_TITLE = re.compile(r"<title[^<>]*>([^<]*)</title>", re.IGNORECASE)


def extract_message(response: httpx.Response, secrets: Iterable[str] = ()) -> str:
    """Return the message in the body of a response, or else the reason phrase of its status.

    :param response: the response, whose body has been read.
    :param secrets: values to remove in addition to those of ``add_masked_values``.
    """
    text = _extract_from_body(response) or response.reason_phrase
    return format_message(text, secrets)


def format_message(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the message of a platform as one printable line without secrets.

    Secrets are removed before the line is shortened, so that no part of a secret remains.

    :param text: the message.
    :param secrets: values to remove in addition to those of ``add_masked_values``.
    """
    text = mask(redact(text, secrets))
    # A terminal interprets control characters.
    printable = "".join(each if each.isprintable() else " " for each in text[: 2 * _MAX_LENGTH])
    return " ".join(printable.split())[:_MAX_LENGTH] or _NO_MESSAGE


def extract_code(response: httpx.Response) -> str:
    """Return the platform's code for an error (``rate_limited``), or an empty text.

    The code is in the body, which may be JSON or XML, or in a header of AWS or Azure.

    :param response: the response, whose body has been read.
    """
    body = _parse_json(response)
    code = _find_code(body) if isinstance(body, Mapping) else ""
    if body is None:
        code = _find_in_xml(response.text).get("Code", "")
    headers = (response.headers.get(name, "") for name in _CODE_HEADERS)
    return code or next((_shorten_type(value) for value in headers if value), "")


def extract_credentials(authorization: str) -> Iterator[str]:
    """Yield the secrets in the value of ``Authorization`` or a similar header.

    :param authorization: the header's value, such as ``Bearer TOKEN`` or the TOKEN alone.
    """
    scheme, _, credentials = authorization.partition(" ")
    yield credentials or scheme
    if scheme.lower() == "basic":
        try:
            plain = base64.b64decode(credentials, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return
        yield plain
        yield plain.partition(":")[2]


def _extract_from_body(response: httpx.Response) -> str:
    body = _parse_json(response)
    if body is None:
        return _extract_from_text(response.text)
    try:
        return _find_sentence(body) or (str(body) if body else "")
    except RecursionError:
        return response.text


def _parse_json(response: httpx.Response) -> Any:
    """Return the body as JSON, or ``None`` if it is not JSON or nested too deeply."""
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return None


def _extract_from_text(text: str) -> str:
    """Return plain text, the message in XML, or the title of an HTML page."""
    if "<html" not in text[:1000].lower() and "<!doctype" not in text[:1000].lower():
        fields = _find_in_xml(text)
        return _append_code(fields["Message"], fields.get("Code")) if "Message" in fields else text
    found = _TITLE.search(text)
    return " ".join(html.unescape(found[1]).split()) if found else ""


def _find_in_xml(text: str) -> dict[str, str]:
    """Return ``Code`` and ``Message`` of an XML ``<Error>``, as S3 and Azure send it."""
    if not text.lstrip("\ufeff \r\n\t").startswith("<"):
        return {}
    fields: dict[str, str] = {}
    for name, value in _XML.findall(text):
        fields.setdefault(name, html.unescape(value).strip())
    return {name: value for name, value in fields.items() if value}


def _find_code(body: Mapping[str, Any]) -> str:
    """Return the code of the innermost JSON object that describes the error."""
    fields = _lower_keys(body)
    keys = (*_NESTED, *_DETAILS)
    nested = next(
        (fields[key] for key in keys if isinstance(fields.get(key), list | Mapping)), None
    )
    if isinstance(nested, list):
        nested = nested[0] if nested else {}
    code = _get_code(_lower_keys(nested)) if isinstance(nested, Mapping) else ""
    return code or _get_code(fields)


def _get_code(fields: Mapping[str, Any]) -> str:
    """Return the code in an object: in ``code``, or ``status`` (Google), or ``__type`` (AWS)."""
    code, status = fields.get("code"), fields.get("status")
    if isinstance(code, int) and isinstance(status, str) and _STATUS.fullmatch(status):
        return status
    if isinstance(code, str | int):
        return str(code)
    return _shorten_type(fields["__type"]) if isinstance(fields.get("__type"), str) else ""


def _shorten_type(text: str) -> str:
    """Return the name in texts such as ``com.amazonaws.lambda#NotFound``."""
    return text.partition(":")[0].rpartition("#")[2].strip()


def _lower_keys(body: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key).lower(): value for key, value in body.items()}


def _find_sentence(body: Any) -> str:
    """Return the first message in a JSON value, with the platform's code."""
    if isinstance(body, str):
        return body
    if isinstance(body, list):
        return "; ".join(filter(None, (_find_sentence(item) for item in body[:3])))
    if not isinstance(body, Mapping):
        return ""
    fields = _lower_keys(body)
    keys = _NESTED if _has_message(fields) else (*_NESTED, *_DETAILS)
    values = (fields[key] for key in keys if isinstance(fields.get(key), list | Mapping))
    inner = next(filter(None, map(_find_sentence, values)), "")
    return inner or _format_object(fields) or _format_field_errors(body)


def _has_message(fields: Mapping[str, Any]) -> bool:
    return any(isinstance(fields.get(key), str) and fields[key] for key in ("message", "msg"))


def _format_object(fields: Mapping[str, Any]) -> str:
    """Return the message in an error object, after the ``title`` of RFC 9457 if there is one."""
    texts = [fields[key] for key in _SENTENCES if isinstance(fields.get(key), str) and fields[key]]
    error = fields.get("error")
    if not texts:
        return error if isinstance(error, str) else ""
    text = str(texts[0])
    if isinstance(fields.get("title"), str) and fields["title"] != text:
        text = f"{fields['title']}: {text}"
    return _append_code(text, _get_code(fields) or error)


def _append_code(text: str, code: Any) -> str:
    is_new = isinstance(code, str | int) and str(code) and str(code) not in text
    return f"{text} ({code})" if is_new else text


def _format_field_errors(body: Mapping[str, Any]) -> str:
    """Format the errors of form fields, such as ``{"name": ["must be unique"]}``."""
    return "; ".join(
        f"{name} {', '.join(map(str, errors))}"
        for name, errors in body.items()
        if isinstance(errors, list) and errors and all(isinstance(item, str) for item in errors)
    )
