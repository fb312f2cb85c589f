"""Parse the multipart form of an upload, as strictly as an upload must be formed."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any


class FormError(ValueError):
    """The form is not as Cloudflare needs it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Module:
    """One module of an upload."""

    content: bytes
    type: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class UploadForm:
    """The metadata and the modules of an upload, in the order of the form."""

    metadata: dict[str, Any]
    modules: dict[str, Module]


def parse_form(content: bytes, content_type: str) -> UploadForm:
    found = re.fullmatch(r"multipart/form-data; ?boundary=\"?([^\";]+)\"?", content_type)
    if found is None:
        raise FormError(f"the content type is {content_type!r}")
    delimiter = b"--" + found[1].encode()
    head, *parts, tail = (b"\r\n" + content).split(b"\r\n" + delimiter)
    if head or tail.strip() != b"--":
        raise FormError("the form has no end")
    items = [_parse_part(part) for part in parts]
    name, filename, kind, body = items[0]
    if (name, filename, kind) != ("metadata", None, None):
        raise FormError("could not read content for part metadata")
    modules = {}
    for name, filename, kind, body in items[1:]:
        if name != filename or kind is None:
            raise FormError(f"the part {name!r} has the file name {filename!r} and type {kind!r}")
        if name in modules:
            raise FormError(f"the part {name!r} is there twice")
        modules[name] = Module(content=body, type=kind)
    return UploadForm(metadata=json.loads(items[0][3]), modules=modules)


def _parse_part(part: bytes) -> tuple[str, str | None, str | None, bytes]:
    head, _, body = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    headers = {}
    for line in head.decode().split("\r\n"):
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    disposition = headers.get("content-disposition", "")
    fields = dict(re.findall(r'(\w+)="([^"]*)"', disposition))
    return fields["name"], fields.get("filename"), headers.get("content-type"), body
