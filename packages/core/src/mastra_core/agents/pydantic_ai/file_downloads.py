"""Refuse to download the files that a caller names by URL.

Some providers load a file from its URL themselves. For other providers, pydantic-ai downloads the
file in this process, so a caller could make the server send requests to any public address.

A tool of a user's pydantic-ai agent may name files by URL, too, and such files can be in the same
request as those of the caller. The identifier of a file says whether the caller sent it, even in a
history that was stored and read again.
"""

from __future__ import annotations

import copy
import dataclasses
import zlib
from typing import Any, Self

from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.messages import (
    FileUrl,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ToolReturnPart,
    UserPromptPart,
)

from mastra_core.agents.messages import AgentInput
from mastra_core.errors import InvalidInput

__all__ = ("build_download_refusal", "build_file_identifier", "refuse_downloads")

_SHOWN = 200  # characters of a URL that the error quotes
_PREFIX = "input-file-"  # of the identifiers of files in ``AgentInput.messages``


class _Refusal(int):
    """A value of ``FileUrl.force_download`` that refuses the download.

    The value is ``0``, so that pydantic can serialise messages that contain it, for example for a
    span.

    pydantic-ai uses the value as a boolean to decide who loads the file. Before pydantic-ai
    downloads a file itself, it compares the value with ``allow-local``, and this comparison raises
    the error.

    :param url: the URL of the file.
    """

    _url: str

    def __new__(cls, url: str) -> Self:
        self = super().__new__(cls, 0)
        self._url = url
        return self

    def __eq__(self, other: object) -> bool:
        if other != "allow-local":
            return super().__eq__(other)
        raise InvalidInput(
            f"The model's provider cannot load the file {self._url[:_SHOWN]!r} from its URL, and "
            "the server does not load files for callers.",
            "Send the content of the file as base64.",
        )

    __hash__ = int.__hash__


def build_file_identifier(url: str) -> str:
    """Return the identifier for a file of ``AgentInput.messages``.

    :param url: the URL of the file.
    """
    return f"{_PREFIX}{zlib.crc32(url.encode(errors='replace')):08x}"


def refuse_downloads(messages: list[ModelMessage], run_input: AgentInput) -> list[ModelMessage]:
    """Return messages that make pydantic-ai download no file that a caller names.

    Files that tools name are still downloaded, and so are all files of a run that the application
    itself starts.

    :param messages: the messages of a request to a model; they are not changed.
    :param run_input: the input of the run.
    :returns: the messages for the request; they must not be stored.
    """
    if not run_input.caller:
        return messages
    return [_mark_message(each) for each in messages]


def build_download_refusal(run_input: AgentInput) -> list[AbstractCapability[Any]]:
    """Build the capability that calls ``refuse_downloads`` before each request to a model.

    :param run_input: the input of the run.
    """
    return [_DownloadRefusal(run_input)] if run_input.caller else []


@dataclasses.dataclass
class _DownloadRefusal(AbstractCapability[Any]):
    run_input: AgentInput

    async def before_model_request(self, _: Any, request_context: Any) -> Any:
        request_context.messages = refuse_downloads(request_context.messages, self.run_input)
        return request_context


def _mark_message(message: ModelMessage) -> ModelMessage:
    """Mark the caller's files; a request may also contain files of tools if it has tool results."""
    if not isinstance(message, ModelRequest) or not any(map(_has_content, message.parts)):
        return message
    has_results = any(isinstance(part, ToolReturnPart) for part in message.parts)
    parts = [_mark_part(part, only_input=has_results) for part in message.parts]
    return dataclasses.replace(message, parts=parts)


def _mark_part(part: ModelRequestPart, *, only_input: bool) -> ModelRequestPart:
    """Mark the files of a part; with ``only_input``, only files of ``AgentInput.messages``."""
    if not isinstance(part, UserPromptPart) or isinstance(part.content, str):
        return part
    content = [
        _mark_file(each)
        if isinstance(each, FileUrl) and (not only_input or each.identifier.startswith(_PREFIX))
        else each
        for each in part.content
    ]
    return dataclasses.replace(part, content=content)


def _has_content(part: ModelRequestPart) -> bool:
    """Return whether a part is a user's message that contains more than text."""
    return isinstance(part, UserPromptPart) and not isinstance(part.content, str)


def _mark_file(file: Any) -> Any:
    marked = copy.copy(file)
    marked.force_download = _Refusal(file.url)
    return marked
