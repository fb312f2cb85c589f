"""Parse a condition on traces in the syntax of Mastra's trace query."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from mastra_server.http.dates import parse_iso
from mastra_server.http.request_body import InvalidBody
from mastra_server.observability.span_record import SpanRecord

__all__ = ("Condition", "build_condition")

Facts = Mapping[str, Any]
Condition = Callable[[list[SpanRecord]], bool]
_Spans = Callable[[], list[Facts]]
_Test = Callable[[Facts, _Spans], bool]
_Value = Callable[[Facts], Any]

_MAX_DEPTH = 12
_MAX_CONDITIONS = 100  # conditions of one query
_MAX_RELATED = 8  # conditions of one query that look at every span
_METADATA = "metadata."
_TIMES = ("startedAt", "endedAt")
_VERSIONS = ("entityVersionId", "parentEntityVersionId", "rootEntityVersionId")
_FIELDS = {
    "trace": {
        "traceId", "threadId", "resourceId", "entityName", "entityType", "environment", "status",
        *_TIMES,
    },
    "spans": {
        "name", "spanType", "model", "provider", "durationMs", "status", "error", "entityType",
        "entityId", "entityName", *_TIMES, *_VERSIONS,
    },
    "scores": {
        "scorerId", "scorerVersion", "scoreSource", "score", "timestamp", "spanId", *_VERSIONS,
    },
    "feedback": {
        "feedbackType", "feedbackSource", "feedbackUserId", "sourceId", "value", "timestamp",
        "comment", *_VERSIONS,
    },
}  # fmt: skip
_COMPARISONS = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}


def build_condition(where: Any) -> Condition:
    """Build a function that tests a trace's spans against ``where``.

    A field that a trace does not have is neither equal to nor different from any value.

    :param where: the condition as decoded JSON; ``None`` matches every trace.
    :returns: a function that returns whether a trace matches.
    :raises InvalidBody: when the condition is invalid; the error names the invalid part.
    """
    if where is None:
        return lambda _: True
    test = _ConditionParser().parse(where, "trace", "where", 1)
    return lambda spans: test(
        _get_facts(spans[0]), cache(lambda: [_get_facts(each) for each in spans])
    )


class _ConditionParser:
    """Parses one condition, and limits the number of its parts."""

    def __init__(self) -> None:
        self._count = 0
        self._related_count = 0

    def parse(self, where: Any, scope: str, at: str, depth: int) -> _Test:
        """Parse ``where``; ``at`` is its path, for error messages."""
        self._count += 1
        if depth > _MAX_DEPTH or self._count > _MAX_CONDITIONS:
            message = f"Expected at most {_MAX_CONDITIONS} conditions, {_MAX_DEPTH} deep"
            raise InvalidBody(at, message)
        if not isinstance(where, dict):
            raise InvalidBody(at, "Expected a condition")
        op = where.get("op")
        if op in ("and", "or"):
            return self._parse_logical(where, scope, at, depth)
        if op == "not":
            inner = self.parse(where.get("arg"), scope, f"{at}.arg", depth + 1)
            return lambda facts, spans: not inner(facts, spans)
        if op is None and scope == "trace":
            return self._parse_related(where, at, depth)
        return _parse_operator(where, scope, at)

    def _parse_logical(self, where: dict[str, Any], scope: str, at: str, depth: int) -> _Test:
        args = where.get("args")
        if not isinstance(args, list) or not args:
            raise InvalidBody(f"{at}.args", "Expected conditions")
        tests = [
            self.parse(each, scope, f"{at}.args[{index}]", depth + 1)
            for index, each in enumerate(args)
        ]
        combine = all if where["op"] == "and" else any
        return lambda facts, spans: combine(test(facts, spans) for test in tests)

    def _parse_related(self, where: dict[str, Any], at: str, depth: int) -> _Test:
        """Parse a condition on spans, or on scores and feedback, which no trace here has."""
        (scope, quantified), *more = where.items() if where else [("", None)]
        if more or scope not in _FIELDS or not isinstance(quantified, dict) or len(quantified) != 1:
            raise InvalidBody(at, 'Expected "op", or spans, scores or feedback')
        ((quantifier, inner),) = quantified.items()
        if scope == "trace" or quantifier not in ("some", "none"):
            raise InvalidBody(f"{at}.{scope}", 'Expected "some" or "none"')
        self._related_count += 1
        if self._related_count > _MAX_RELATED:
            raise InvalidBody(at, f"Expected at most {_MAX_RELATED} conditions on spans")
        test = self.parse(inner, scope, f"{at}.{scope}.{quantifier}", depth + 1)
        if scope != "spans":
            return lambda *_: quantifier == "none"
        return lambda _, spans: (quantifier == "some") is any(test(x, spans) for x in spans())


def _parse_operator(where: dict[str, Any], scope: str, at: str) -> _Test:
    """Parse a condition on fields."""
    op = where.get("op")
    if op in _COMPARISONS:
        return _parse_comparison(where, scope, at)
    if op in ("exists", "notExists"):
        path = _parse_path(where.get("path"), scope, f"{at}.path")
        return lambda facts, _: (path(facts) is None) is (op == "notExists")
    if op in ("in", "notIn"):
        value, members = _parse_operand(where.get("value"), scope, f"{at}.value"), where.get("set")
        if not isinstance(members, list) or not members or len(members) > _MAX_CONDITIONS:
            raise InvalidBody(f"{at}.set", f"Expected 1 to {_MAX_CONDITIONS} values")
        is_member = _build_membership_test(members)
        return lambda facts, _: _test_known(value(facts), lambda it: is_member(it) is (op == "in"))
    if op in ("includes", "notIncludes"):  # for arrays, but no field is an array
        _parse_path(where.get("path"), scope, f"{at}.path")
        return lambda *_: False
    raise InvalidBody(f"{at}.op", "Expected an operator")


def _parse_comparison(where: dict[str, Any], scope: str, at: str) -> _Test:
    sides = [where.get(name) for name in ("left", "right")]
    paths = [side.get("path") for side in sides if isinstance(side, dict)]
    is_date = any(path in _TIMES for path in paths)
    left, right = (
        _parse_operand(side, scope, f"{at}.{name}", is_date=is_date)
        for side, name in zip(sides, ("left", "right"), strict=True)
    )
    compare = _COMPARISONS[where["op"]]

    def test(facts: Facts, _: _Spans) -> bool:
        one, other = left(facts), right(facts)
        if one is None or other is None:
            return False
        try:
            return bool(compare(one, other))
        except TypeError:  # values of different types have no order
            return False

    return test


def _parse_operand(side: Any, scope: str, at: str, *, is_date: bool = False) -> _Value:
    """Parse an operand: a field or a literal."""
    if isinstance(side, dict) and side.keys() == {"path"}:
        return _parse_path(side["path"], scope, at)
    if not isinstance(side, dict) or side.keys() != {"literal"}:
        raise InvalidBody(at, 'Expected "path" or "literal"')
    literal = side["literal"]
    if isinstance(literal, dict | list):
        raise InvalidBody(at, "Expected text, a number, true, false or null")
    if is_date:
        literal = parse_iso(literal, at)
    return lambda _: literal


def _parse_path(path: Any, scope: str, at: str) -> _Value:
    known = isinstance(path, str) and (
        path in _FIELDS[scope] or (scope == "trace" and path.startswith(_METADATA))
    )
    if not known:
        raise InvalidBody(at, f"Expected one of {', '.join(sorted(_FIELDS[scope]))}")
    return lambda facts: facts.get(path)


def _build_membership_test(members: list[Any]) -> Callable[[Any], bool]:
    """Build a function that tests whether a value is a member, mostly in constant time."""
    scalars = frozenset(each for each in members if not isinstance(each, dict | list))
    others = [each for each in members if isinstance(each, dict | list)]
    return lambda it: it in (others if isinstance(it, dict | list) else scalars)


def _test_known(value: Any, test: Callable[[Any], bool]) -> bool:
    return value is not None and test(value)


def _get_facts(span: SpanRecord) -> Facts:
    metadata = {f"{_METADATA}{name}": text for name, text in span.facts.items()}
    return {**span.to_fields(), **metadata}
