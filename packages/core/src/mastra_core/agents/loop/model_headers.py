"""Add the ids of a model call's span to the HTTP requests that the provider's client sends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from pydantic_ai.models import Model
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.wrapper import WrapperModel

from mastra_core.telemetry import Span, build_model_headers, enter_model_span, is_recording

__all__ = ("add_trace_headers", "enter_span")

_HEADERS = "extra_headers"  # a setting of pydantic-ai; the clients of most providers send it


def add_trace_headers(settings: dict[str, Any], model: Model, span: Span) -> dict[str, Any]:
    """Return a request's settings with the headers of its span; keep headers that are set already.

    :param settings: the settings of the model.
    :param model: the model.
    :param span: the span of the request; ``None`` where nothing is traced.
    """
    if span is None:
        return settings
    found = [_build_headers(each, span) for each in _list_models(model)]
    if not all(found):  # one of the models must not get the headers, or cannot send them
        return settings
    return {**settings, _HEADERS: {**found[0], **(settings.get(_HEADERS) or {})}}


def enter_span(model: Model, span: Span) -> contextlib.AbstractContextManager[None]:
    """Return a context manager that makes the span of a request known to other instrumentations.

    :param model: the model.
    :param span: the span of the request; ``None`` where nothing is traced.
    """
    if not is_recording():
        return contextlib.nullcontext()
    return enter_model_span(span, list(map(_find_host, _list_models(model))))


def _list_models(model: Model) -> Iterator[Model]:
    """Yield the models in a ``FallbackModel`` or a wrapper; yield any other model itself."""
    if isinstance(model, FallbackModel):
        for each in model.models:
            yield from _list_models(each)
    elif isinstance(model, WrapperModel):
        yield from _list_models(model.wrapped)
    else:
        yield model


def _build_headers(model: Model, span: Span) -> dict[str, str]:
    host = _find_host(model)
    if not host or _HEADERS in model.unsupported_settings:
        return {}
    return build_model_headers(span, host)


def _find_host(model: Model) -> str:
    return urlsplit(model.base_url or "").hostname or ""
