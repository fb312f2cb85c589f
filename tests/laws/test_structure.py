"""The structure of the packages: no import circle, no crowded directory, one meaning a name."""

import ast
import functools
from collections import Counter, defaultdict

import pytest

from tests.laws.sources import PACKAGES, all_sources, module_name, shown, sources, tree

LARGEST_DIRECTORY = 25  # modules

# A basename that several directories use, and the one meaning that it has in all of them.
SHARED_BASENAMES = {
    "api": "the client of a platform's API",
    "app": "an ASGI application",
    "archive": "an archive of files that is sent",
    "build": "the build stage of the pipeline",
    "bundle": "the bundle stage of the pipeline",
    "canary": "a share of the traffic for one deployment",
    "checks": "checks of a build and of a bundle, offline",
    "client": "the client of a protocol",
    "convert_events": "a framework's events as events of an agent",
    "convert_messages": "messages of an agent as a framework's messages",
    "create": "creating a deployment",
    "definition": "the data that an agent or a workflow is made from",
    "deploy": "the deploy stage of the pipeline",
    "deployment": "one deployment on a platform",
    "deployments": "the deployments on a platform",
    "describe": "the description of an application or its parts as data",
    "doctor": "mastra doctor",
    "errors": "errors and their responses",
    "function": "a function of the user",
    "hooks": "hook specifications and their implementations",
    "logs": "logs of an application",
    "messages": "messages of a conversation",
    "options": "options of commands and of runs",
    "plan": "what a deploy would change",
    "platforms": "Python versions and machines that builds are for",
    "preview": "mastra preview",
    "promotion": "making another deployment the live one",
    "project": "the user's project, here and on a platform",
    "protocol": "the protocols of a directory",
    "request": "the body of a request",
    "resources": "resources of an MCP server",
    "result": "the result of a run on the wire",
    "routes": "HTTP routes",
    "run_overrides": "what one run changes of an agent",
    "runner": "the runner of a framework's agents",
    "runs": "stored runs of workflows",
    "schemas": "types of requests and responses",
    "settings": "settings of a deployer",
    "step_paths": "paths of steps",
    "stream": "the stream of a run on the wire",
    "suspended_runs": "runs of agents that wait for a person",
    "target": "the description of a target",
    "targets": "targets as a user names them",
    "time_travel": "starting a run again at a step",
    "tools": "tools",
    "variables": "the environment variables of an app on a platform",
}


def modules():
    """Every module of every package by its dotted name."""
    return {module_name(path): path for path in all_sources()}


def imported_modules(path, known):
    """The modules of ours that a file imports, wherever in the file the import stands."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in known else node.module


@functools.cache
def import_graph():
    """Each module with the other modules of ours that it imports; types and lazy imports count."""
    known = modules()
    return {name: set(imported_modules(path, known)) - {name} for name, path in known.items()}


def directory_graph(package):
    """Each directory below a package with the directories of that package that it imports.

    A module that stands on top of the package is a node of its own.
    """
    root, graph = PACKAGES[package].name, defaultdict(set)
    for name, others in import_graph().items():
        for other in others:
            one, two = _below(name, root), _below(other, root)
            if one and two and one != two:
                graph[one].add(two)
    return graph


def _below(name, root):
    parts = name.split(".")
    return parts[1] if parts[0] == root and len(parts) > 1 else None


def find_circles(graph):
    """The groups of nodes that reach one another, by Tarjan's algorithm."""
    index, low, stack, circles = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph.get(node, ()):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = []
            while not group or group[-1] != node:
                group.append(stack.pop())
            if len(group) > 1:
                circles.append(sorted(group))

    for node in list(graph):
        if node not in index:
            visit(node)
    return circles


def test_circles_are_found():
    assert find_circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert find_circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_no_module_imports_itself_through_others():
    assert find_circles(import_graph()) == []


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_no_directory_imports_itself_through_others(package):
    assert find_circles(directory_graph(package)) == []


def test_no_directory_is_crowded():
    counts = Counter(path.parent for path in all_sources() if path.stem != "__init__")
    crowded = {shown(path): count for path, count in counts.items() if count > LARGEST_DIRECTORY}
    assert crowded == {}


def test_one_basename_has_one_meaning():
    """Two modules of one basename need a line above that says what both are about."""
    places = defaultdict(list)
    for package in PACKAGES:
        for path in sources(package):
            if path.stem != "__init__":
                places[path.stem].append(shown(path))
    shared = {name for name, paths in places.items() if len(paths) > 1}
    assert shared - set(SHARED_BASENAMES) == set()
    assert set(SHARED_BASENAMES) - shared == set(), "no longer shared: delete these lines"
