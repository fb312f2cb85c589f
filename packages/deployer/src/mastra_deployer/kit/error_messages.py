"""What a platform said of an error, in its own words, and never a secret among them."""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import httpx

__all__ = ("credentials_in", "platform_code", "platform_words", "redact")

_LONGEST = 300
_SHORT = 4
# Where platforms put the sentence, the most telling first.
_SENTENCES = ("message", "msg", "detail", "error_description", "description", "title", "reason")
_NESTED = ("error", "err", "errors", "detail", "details", "failed")
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


def platform_words(response: httpx.Response) -> str:
    """The sentence in the body of an answer that was read, or the reason of its status."""
    text = _body_words(response) or response.reason_phrase or "no words"
    # A terminal obeys control characters.
    shown = "".join(each if each.isprintable() else " " for each in text[: 2 * _LONGEST])
    return " ".join(shown.split())[:_LONGEST] or "no words"


def platform_code(response: httpx.Response) -> str:
    """The platform's own word for an error (``rate_limited``); empty where it has none."""
    body = _json(response)
    if not isinstance(body, Mapping):
        return ""
    nested = next((body[key] for key in _NESTED if isinstance(body.get(key), list | Mapping)), body)
    if isinstance(nested, list):
        nested = nested[0] if nested else {}
    code = nested.get("code") if isinstance(nested, Mapping) else None
    return str(code) if isinstance(code, str | int) else ""


def redact(text: str, secrets: Iterable[str]) -> str:
    """``text`` without the secrets: a platform may say back what it was sent."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= _SHORT:
            text = text.replace(secret, "****")
        elif secret:  # anywhere inside of words it would only be noise
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "****", text)
    return text


def credentials_in(authorization: str) -> Iterator[str]:
    """What is secret in ``Authorization`` and headers like it."""
    scheme, _, credentials = authorization.partition(" ")
    yield credentials or scheme
    if scheme.lower() == "basic":
        try:
            plain = base64.b64decode(credentials, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return
        yield plain
        yield plain.partition(":")[2]


def _body_words(response: httpx.Response) -> str:
    body = _json(response)
    if body is None:
        return _text_words(response.text)
    try:
        return _sentence(body) or (str(body) if body else "")
    except RecursionError:
        return response.text


def _json(response: httpx.Response) -> Any:
    """The body as JSON, or ``None`` where it is none or nested without an end."""
    try:
        return response.json()
    except (ValueError, RecursionError):
        return None


def _text_words(text: str) -> str:
    """Plain text as it is; of a page only its title."""
    if "<html" not in text[:1000].lower() and "<!doctype" not in text[:1000].lower():
        return text
    found = _TITLE.search(text)
    return " ".join(html.unescape(found[1]).split()) if found else ""


def _sentence(body: Any) -> str:
    """The first sentence in a JSON value, with the platform's code for it."""
    if isinstance(body, str):
        return body
    if isinstance(body, list):
        return "; ".join(filter(None, (_sentence(item) for item in body[:3])))
    if not isinstance(body, Mapping):
        return ""
    nested = (_sentence(body[key]) for key in _NESTED if isinstance(body.get(key), list | Mapping))
    inner = next(filter(None, nested), "")
    own = _own(body)
    if inner:
        return inner
    return own or _fields(body)


def _own(body: Mapping[str, Any]) -> str:
    """What an object says itself; a problem's title and detail belong together."""
    said = [str(body[key]) for key in _SENTENCES if isinstance(body.get(key), str) and body[key]]
    if not said:
        return str(body["error"]) if isinstance(body.get("error"), str) else ""
    text = said[0]
    if isinstance(body.get("title"), str) and body["title"] != text:
        text = f"{body['title']}: {text}"
    code = body.get("code") or body.get("error")
    return f"{text} ({code})" if isinstance(code, str | int) and str(code) not in text else text


def _fields(body: Mapping[str, Any]) -> str:
    """``{"name": ["must be unique"]}``, as forms are refused."""
    said = [
        f"{name} {', '.join(map(str, what))}"
        for name, what in body.items()
        if isinstance(what, list) and what and all(isinstance(item, str) for item in what)
    ]
    return "; ".join(said)
