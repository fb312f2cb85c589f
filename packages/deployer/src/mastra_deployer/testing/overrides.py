"""Allow authors to override a test only if they mark it as an expected failure."""

from __future__ import annotations

import inspect

__all__ = ("require_expected_failures",)


def require_expected_failures(subclass: type, suite: type) -> None:
    """Raise an error if a subclass overrides a test without the marker ``xfail`` and its reason.

    :param subclass: the subclass.
    :param suite: the suite.
    :raises TypeError: when an overridden test has no such marker; the error names the test.
    """
    for name in dir(suite):
        test = inspect.getattr_static(subclass, name)
        if name.startswith("test_") and test is not inspect.getattr_static(suite, name):
            _require_xfail(subclass, suite, name, test)


def _require_xfail(subclass: type, suite: type, name: str, test: object) -> None:
    for mark in getattr(test, "pytestmark", ()):
        if mark.name == "xfail" and str(mark.kwargs.get("reason") or "").strip():
            return
    raise TypeError(
        f"{subclass.__name__}.{name} overrides a test of {suite.__name__}. If the platform cannot "
        'pass it, mark the override @pytest.mark.xfail(reason="...").'
    )
