"""Recognise a WSGI application in the entry file without running the file."""

from __future__ import annotations

import ast

from mastra_deployer.project.ast_names import collect_imports, get_dotted_name

__all__ = ("WSGI_ADAPTER", "is_wsgi_application")

# The distribution that serves a WSGI application in an ASGI server.
WSGI_ADAPTER = "a2wsgi>=1.10"
_CONSTRUCTORS = frozenset(
    ("flask.Flask", "bottle.Bottle", "bottle.app", "bottle.default_app", "falcon.App")
    + ("django.core.wsgi.get_wsgi_application", "django.core.handlers.wsgi.WSGIHandler")
)


def is_wsgi_application(tree: ast.Module, attribute: str) -> bool:
    """Return whether a module assigns a WSGI application of a known framework to an attribute.

    Other WSGI applications are recognised when the entry is imported.

    :param tree: the module.
    :param attribute: the name to which the module assigns the application.
    """
    imports = collect_imports(ast.walk(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            names = [get_dotted_name(target) for target in node.targets]
            head, dot, rest = get_dotted_name(node.value.func).partition(".")
            if attribute in names and imports.get(head, "") + dot + rest in _CONSTRUCTORS:
                return True
    return False
