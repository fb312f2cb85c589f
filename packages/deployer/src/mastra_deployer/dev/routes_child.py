"""What an app answers, and one request that works, from the objects themselves."""

import os


def look(target, kind):
    if kind == "mastra":
        example = mastra_example(target)
        return {
            "routes": [],
            "example": {**example, "path": target.server.api_prefix + example["path"]},
        }
    routes = list(of_framework(getattr(target, "routes", ())))
    simple = [path for methods, path in routes if "GET" in methods and "{" not in path]
    path = "/" if "/" in simple or not simple else simple[0]
    shown = [[", ".join(sorted(methods)), path] for methods, path in routes]
    return {"routes": shown, "example": {"method": "GET", "path": path, "body": None}}


def mastra_example(mastra):
    """The first of: an agent without a model, a workflow, an agent with its key, the list."""
    agents = [(key, agent.info()) for key, agent in mastra.agents.items()]
    for key, info in agents:
        if not info.provider and not info.requires:
            return generate(key)
    for key, workflow in mastra.workflows.items():
        fits, sample = sampled(workflow.input_schema or {})
        if fits:
            path = f"/workflows/{key}/start-async"
            return {"method": "POST", "path": path, "body": {"inputData": sample}}
    for key, info in agents:
        if has_key(info.provider):
            return generate(key)
    return {"method": "GET", "path": "/agents", "body": None}


def generate(key):
    path = f"/agents/{key}/generate"
    return {"method": "POST", "path": path, "body": {"messages": "hello"}}


def has_key(provider):
    name = provider.upper().replace("-", "_")
    return bool(name) and bool(os.environ.get(name + "_API_KEY"))


def sampled(schema, root=None):
    """Whether a value can be made up for a JSON schema, and the value."""
    root = root or schema
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return sampled(root.get("$defs", {}).get(name, {"not": {}}), root)
    for word in ("default", "const"):
        if word in schema:
            return True, schema[word]
    for word in ("enum", "examples"):
        if schema.get(word):
            return True, schema[word][0]
    for word in ("anyOf", "oneOf"):
        if schema.get(word):
            return sampled(schema[word][0], root)
    if {"not", "allOf", "pattern", "format"} & schema.keys():
        return False, None
    return of_type(schema, root)


def of_type(schema, root):
    kind = schema.get("type")
    if kind == "object":
        return of_object(schema, root)
    if kind == "array":
        return not schema.get("minItems"), []
    least = schema.get("minimum", 0)
    simple = {"string": "hello", "integer": max(1, least), "number": max(1, least)}
    simple.update({"boolean": True, "null": None, None: "hello"})
    return kind in simple, simple.get(kind)


def of_object(schema, root):
    made = {}
    for name in schema.get("required", ()):
        fits, made[name] = sampled(schema.get("properties", {}).get(name, {}), root)
        if not fits:
            return False, None
    return True, made


def of_framework(routes, prefix=""):
    """Methods and path of each route of Starlette, FastAPI or Litestar."""
    for route in routes:
        path = getattr(route, "path_format", None) or getattr(route, "path", None)
        methods = getattr(route, "methods", None)
        below = getattr(route, "routes", None)
        if not isinstance(path, str) or getattr(route, "include_in_schema", True) is False:
            continue
        if methods:
            yield sorted(set(map(str, methods)) - {"HEAD", "OPTIONS"}), prefix + path
        elif below:
            yield from of_framework(below, prefix + path)
