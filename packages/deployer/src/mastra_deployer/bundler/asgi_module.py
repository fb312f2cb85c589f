"""Format the module that makes an ASGI application from the object that the user wrote."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ("format_asgi_module",)

_ASGI = """\
# Made by mastra: the ASGI application of this bundle.
# Litestar imports these modules for debugging and for YAML documents, which few applications use.
from mastra_core.deferred_imports import defer_imports

# The build found the adapters for agents of other frameworks.
from mastra_core.agents.adapt import freeze_adapters

freeze_adapters({adapters!r})

from {module} import {head}

with defer_imports("pdb", "yaml"):
    from mastra_server import create_app

mastra = {attribute}
app = create_app(mastra)
"""
_WSGI = """\
# Made by mastra: the WSGI application of this bundle, as an ASGI application.
from a2wsgi import WSGIMiddleware
from {module} import {head}

app = WSGIMiddleware({attribute}, workers={threads})
"""
_WSGI_THREADS = 40  # requests that a process handles at once; threads are started as needed


def format_asgi_module(kind: str, module: str, attribute: str, adapters: Mapping[str, str]) -> str:
    """Return the source of the module ``mastra_asgi``.

    :param kind: ``mastra`` or ``wsgi``.
    :param module: dotted name of the module that contains the user's object.
    :param attribute: the object in this module; may contain dots.
    :param adapters: the entry points of the group ``mastra.agents``, by name.
    """
    template = _ASGI if kind == "mastra" else _WSGI
    return template.format(
        adapters=dict(adapters),
        module=module,
        head=attribute.partition(".")[0],
        attribute=attribute,
        threads=_WSGI_THREADS,
    )
