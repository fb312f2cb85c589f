"""Reads the message and the code of a platform's error response, without secrets."""

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

__all__ = ("extract_code", "extract_credentials", "extract_message")

_MAX_LENGTH = 300
_NO_MESSAGE = "no message"
# The keys that hold the sentence, the most specific first.
_SENTENCES = ("message", "msg", "detail", "error_description", "description", "title", "reason")
_NESTED = ("error", "err", "errors", "detail", "details", "failed")
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


def extract_message(response: httpx.Response, secrets: Iterable[str] = ()) -> str:
    """Return the sentence in the body of a response, or the reason phrase of its status.

    Secrets are removed before the sentence is cut, so that no part of one is left at the end.

    :param response: with its body read.
    :param secrets: values to remove, beside those of ``add_masked_values``.
    """
    text = _extract_from_body(response) or response.reason_phrase or _NO_MESSAGE
    text = mask(redact(text, secrets))
    # A terminal interprets control characters.
    printable = "".join(each if each.isprintable() else " " for each in text[: 2 * _MAX_LENGTH])
    return " ".join(printable.split())[:_MAX_LENGTH] or _NO_MESSAGE


def extract_code(response: httpx.Response) -> str:
    """Return the platform's code for an error (``rate_limited``), or an empty string.

    :param response: with its body read.
    """
    body = _parse_json(response)
    if not isinstance(body, Mapping):
        return ""
    nested = next((body[key] for key in _NESTED if isinstance(body.get(key), list | Mapping)), body)
    if isinstance(nested, list):
        nested = nested[0] if nested else {}
    code = nested.get("code") if isinstance(nested, Mapping) else None
    return str(code) if isinstance(code, str | int) else ""


def extract_credentials(authorization: str) -> Iterator[str]:
    """Yield the secrets in the value of ``Authorization`` or a similar header.

    :param authorization: the value of the header.
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
    """Return the body as JSON, or ``None`` where it is not JSON or nested too deeply."""
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return None


def _extract_from_text(text: str) -> str:
    """Return plain text as it is, and only the title of an HTML page."""
    if "<html" not in text[:1000].lower() and "<!doctype" not in text[:1000].lower():
        return text
    found = _TITLE.search(text)
    return " ".join(html.unescape(found[1]).split()) if found else ""


def _find_sentence(body: Any) -> str:
    """Return the first sentence in a JSON value, with the platform's code for it."""
    if isinstance(body, str):
        return body
    if isinstance(body, list):
        return "; ".join(filter(None, (_find_sentence(item) for item in body[:3])))
    if not isinstance(body, Mapping):
        return ""
    values = (body[key] for key in _NESTED if isinstance(body.get(key), list | Mapping))
    inner = next(filter(None, map(_find_sentence, values)), "")
    return inner or _format_object(body) or _format_field_errors(body)


def _format_object(body: Mapping[str, Any]) -> str:
    """Return an object's own sentence; title and detail of RFC 9457 are joined."""
    texts = [str(body[key]) for key in _SENTENCES if isinstance(body.get(key), str) and body[key]]
    if not texts:
        return str(body["error"]) if isinstance(body.get("error"), str) else ""
    text = texts[0]
    if isinstance(body.get("title"), str) and body["title"] != text:
        text = f"{body['title']}: {text}"
    code = body.get("code") or body.get("error")
    return f"{text} ({code})" if isinstance(code, str | int) and str(code) not in text else text


def _format_field_errors(body: Mapping[str, Any]) -> str:
    """Format ``{"name": ["must be unique"]}``, the shape of form validation errors."""
    return "; ".join(
        f"{name} {', '.join(map(str, errors))}"
        for name, errors in body.items()
        if isinstance(errors, list) and errors and all(isinstance(item, str) for item in errors)
    )
