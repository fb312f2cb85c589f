"""Describe an app's routes, and build an example request."""

import os


def describe_routes(target, kind):
    if kind == "mastra":
        return {"routes": [], "example": build_authorized_example(target)}
    routes = list(iter_routes(getattr(target, "routes", ())))
    simple = [path for methods, path in routes if "GET" in methods and "{" not in path]
    path = "/" if "/" in simple or not simple else simple[0]
    described = [[", ".join(sorted(methods)), path] for methods, path in routes]
    return {"routes": described, "example": {"method": "GET", "path": path, "body": None}}


def build_authorized_example(mastra):
    """Build a request that the server's authentication accepts."""
    auth = mastra.server.auth
    example = build_mastra_example(mastra)
    example["path"] = mastra.server.api_prefix + example["path"]
    if auth is None:
        return example
    names = auth.list_variables() if hasattr(auth, "list_variables") else ()
    known = [name for name in names if os.environ.get(name)]
    if known:
        return {**example, "token": known[0]}
    return {"method": "GET", "path": "/health", "body": None}


def build_mastra_example(mastra):
    """Build an example request.

    The request goes to an agent without a model, else to a workflow, else to another agent whose
    key is set, else to the list of agents.
    """
    agents = [(key, agent.info()) for key, agent in mastra.agents.items()]
    for key, info in agents:
        if not info.provider and not info.requires:
            return build_generate_request(key)
    for key, workflow in mastra.workflows.items():
        is_valid, sample = sample_value(workflow.input_schema or {})
        if is_valid:
            path = f"/workflows/{key}/start-async"
            return {"method": "POST", "path": path, "body": {"inputData": sample}}
    for key, info in agents:
        if has_key(info.provider):
            return build_generate_request(key)
    return {"method": "GET", "path": "/agents", "body": None}


def build_generate_request(key):
    path = f"/agents/{key}/generate"
    return {"method": "POST", "path": path, "body": {"messages": "hello"}}


def has_key(provider):
    name = provider.upper().replace("-", "_")
    return bool(name) and bool(os.environ.get(name + "_API_KEY"))


def sample_value(schema, root=None):
    """Generate a value for a JSON schema; return whether this succeeded, and the value."""
    root = root or schema
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return sample_value(root.get("$defs", {}).get(name, {"not": {}}), root)
    for word in ("default", "const"):
        if word in schema:
            return True, schema[word]
    for word in ("enum", "examples"):
        if schema.get(word):
            return True, schema[word][0]
    for word in ("anyOf", "oneOf"):
        if schema.get(word):
            return sample_value(schema[word][0], root)
    if {"not", "allOf", "pattern", "format"} & schema.keys():
        return False, None
    return sample_type(schema, root)


def sample_type(schema, root):
    kind = schema.get("type")
    if kind == "object":
        return sample_object(schema, root)
    if kind == "array":
        return not schema.get("minItems"), []
    least = schema.get("minimum", 0)
    simple = {"string": "hello", "integer": max(1, least), "number": max(1, least)}
    simple.update({"boolean": True, "null": None, None: "hello"})
    return kind in simple, simple.get(kind)


def sample_object(schema, root):
    sample = {}
    for name in schema.get("required", ()):
        is_valid, sample[name] = sample_value(schema.get("properties", {}).get(name, {}), root)
        if not is_valid:
            return False, None
    return True, sample


def iter_routes(routes, prefix=""):
    """Yield the methods and the path of each route of Starlette, FastAPI or Litestar."""
    for route in routes:
        path = getattr(route, "path_format", None) or getattr(route, "path", None)
        methods = getattr(route, "methods", None)
        below = getattr(route, "routes", None)
        if not isinstance(path, str) or getattr(route, "include_in_schema", True) is False:
            continue
        if methods:
            yield sorted(set(map(str, methods)) - {"HEAD", "OPTIONS"}), prefix + path
        elif below:
            yield from iter_routes(below, prefix + path)
