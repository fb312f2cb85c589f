"""Build the worst bodies that an operation of the OpenAPI document accepts."""

import json

BODY_LIMIT = 4_718_592
MAX_VALUES = 100_000
_MESSAGE = '{"role":"user","content":"x"}'


def build_worst_bodies(document, operation, choose_kinds=lambda: FILLINGS):
    """Yield a name and a body for each property of the operation's body, filled to the limits.

    ``choose_kinds`` returns the kinds of values to fill the next property with.
    """
    schema = resolve(document, operation["requestBody"]["content"]["application/json"]["schema"])
    required = {
        name: build_example(document, value)
        for name, value in schema.get("properties", {}).items()
        if name in schema.get("required", ())
    }
    for name in schema.get("properties", {}):
        for kind in choose_kinds():
            text = FILLINGS[kind]
            fields = {key: json.dumps(value) for key, value in required.items()} | {name: text}
            pairs = ",".join(f"{json.dumps(key)}:{value}" for key, value in fields.items())
            body = b"{" + pairs.encode() + b"}"
            assert len(body) <= BODY_LIMIT
            yield f"{name}={kind}", body


def build_raw_bodies():
    """Yield bodies that fit no type."""
    yield "empty objects over the limit", b"[" + b"{}," * (BODY_LIMIT // 3 - 1) + b"{}]"
    yield "brackets in a text", b'{"x":"' + b"[" * (BODY_LIMIT - 10) + b'"}'
    yield "escapes", b'{"x":"' + b'\\"' * (BODY_LIMIT // 2 - 10) + b'"}'
    yield "escaped brackets", b'{"x":"' + b"[\\\\" * (BODY_LIMIT // 3 - 10) + b'"}'
    yield "empty texts", b"[" + b'"",' * (BODY_LIMIT // 3 - 1) + b'""]'


def _fill_list(item, number=MAX_VALUES - 100):
    return "[" + ",".join([item] * number) + "]"


def _fill_object(number=MAX_VALUES - 100):
    return "{" + ",".join(f'"k{index}":{{}}' for index in range(number // 2)) + "}"


FILLINGS = {
    "messages": _fill_list(_MESSAGE, MAX_VALUES // 3 - 100),
    "message parts": '[{"role":"user","content":'
    + _fill_list('{"type":"text","text":""}', MAX_VALUES // 3 - 100)
    + "}]",
    "calls": _fill_list(
        '{"role":"assistant","content":[{"type":"tool-call","toolCallId":"a","toolName":"b",'
        '"args":{}}]}',
        MAX_VALUES // 10 - 100,
    ),
    "empty texts": _fill_list('""'),
    "texts": _fill_list('"x"'),
    "objects": _fill_list("{}"),
    "numbers": _fill_list("0"),
    "long numbers": _fill_list("9" * 309, 14_800),
    "too long numbers": _fill_list("9" * 4000, 1100),
    "keys": _fill_object(),
    "deep": '{"a":' * 190 + "0" + "}" * 190,
    "large text": json.dumps("x" * (BODY_LIMIT - 2000)),
    "large message": '[{"role":"user","content":"' + "x" * (BODY_LIMIT - 2000) + '"}]',
    "schema": '{"type":"object","properties":{'
    + ",".join(f'"k{index}":{{"type":"string"}}' for index in range(MAX_VALUES // 3 - 100))
    + "}}",
    "tools": "{"
    + ",".join(
        f'"t{index}":{{"description":"","inputSchema":{{"type":"object"}}}}'
        for index in range(MAX_VALUES // 6 - 100)
    )
    + "}",
}


def resolve(document, schema):
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


_EXAMPLES = {"string": "x", "boolean": True, "array": []}


def build_example(document, schema):
    """Build a minimal value for a schema."""
    schema = resolve(document, schema)
    if "anyOf" in schema:
        return build_example(document, schema["anyOf"][0])
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") in ("integer", "number"):
        return schema.get("minimum", 1)
    if schema.get("type") == "object":
        properties = schema.get("properties", {})
        return {
            name: build_example(document, properties[name]) for name in schema.get("required", ())
        }
    return _EXAMPLES.get(schema.get("type"), "x")
