"""Find code of an app that a platform without threads, sockets or a disk cannot run.

Some platforms import the app once, and start each instance from a copy of the memory after the
import. On such a platform, random numbers that the app draws during its import, and values that it
reads then, are the same in all instances.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator

from mastra_deployer.code_analysis.app_code import AppCode, EvaluatedExpression
from mastra_deployer.code_analysis.database_files import find_database_files
from mastra_deployer.project.ast_imports import read_imports

__all__ = (
    "CodeFinding",
    "find_async_primitives",
    "find_blocking_clients",
    "find_environment_reads",
    "find_file_databases",
    "find_random_values",
    "find_threads",
)

_ENVIRONMENT = ("os.environ", "os.environb")
_READING: tuple[str, ...] = (
    "os.getenv",
    "os.getenvb",
    "decouple.config",
    "starlette.config.Config",
)
_READING += ("pydantic_settings.BaseSettings", "pydantic_settings.main.BaseSettings")
_WRITING = ("update", "setdefault", "clear")
_RANDOM: tuple[str, ...] = (
    "os.urandom",
    "os.getrandom",
    "uuid.uuid1",
    "uuid.uuid4",
    "uuid.uuid6",
    "uuid.uuid7",
)
_RANDOM += ("tempfile.mkdtemp", "tempfile.mkstemp", "tempfile.NamedTemporaryFile")
_RANDOM += ("tempfile.TemporaryDirectory", "tempfile.TemporaryFile", "random.SystemRandom")
_RANDOM_MODULES = ("random.", "secrets.", "numpy.random.")
# Names of these modules that need no entropy, or need none if they get an argument.
_EQUAL = ("secrets.compare_digest", "random.setstate", "random.getstate")
_SEEDED = ("random.Random", "random.seed", "numpy.random.default_rng", "numpy.random.seed")
_THREADS: tuple[str, ...] = ("threading.Thread", "threading.Timer", "_thread.start_new_thread")
_THREADS += ("concurrent.futures.ThreadPoolExecutor", "concurrent.futures.ProcessPoolExecutor")
_THREADS += ("concurrent.futures.thread.ThreadPoolExecutor", "multiprocessing.Process")
_THREADS += ("multiprocessing.Pool", "multiprocessing.pool.ThreadPool")
_PRIMITIVES: tuple[str, ...] = tuple(
    f"asyncio.{name}"
    for name in (
        *("Lock", "Event", "Condition", "Semaphore", "BoundedSemaphore", "Barrier", "Future"),
        *("Queue", "LifoQueue", "PriorityQueue"),
    )
)
_PRIMITIVES += tuple(
    f"anyio.{name}"
    for name in (
        *("Lock", "Event", "Condition", "Semaphore", "CapacityLimiter"),
        "create_memory_object_stream",
    )
)
_CLIENTS = ("requests", "urllib3", "urllib.request", "http.client", "httplib2", "pycurl")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CodeFinding:
    """Code of the app that a check reports.

    :param path: the path of the file, relative to the root of the code.
    :param line: the number of the line in the source file.
    :param text: the code at this place, such as ``uuid.uuid4`` or ``os.environ['API_KEY']``.
    :param at_import: whether the code runs while the app is imported.
    """

    path: str
    line: int
    text: str
    at_import: bool

    @property
    def where(self) -> str:
        """The file and the line as ``FILE:LINE``."""
        return f"{self.path}:{self.line}"


def find_environment_reads(code: AppCode) -> Iterator[CodeFinding]:
    """Yield the places that read environment variables while the app is imported.

    :param code: the code of the app.
    """
    found: dict[str, CodeFinding] = {}
    ignored = {id(node) for module in code.modules for node in _iter_ignored(module.code.nodes)}
    for item in code.iter_expressions():
        if not item.at_import or id(item.node) in ignored:
            continue
        if text := _describe_read(item, code):
            finding = _create_finding(item, text)
            # The outer expression comes first and says more: os.environ.get('X'), os.environ.
            found.setdefault(finding.where, finding)
    yield from found.values()


def find_random_values(code: AppCode) -> Iterator[CodeFinding]:
    """Yield the places that make random values while the app is imported.

    Generators with a fixed seed do not count.

    :param code: the code of the app.
    """
    return (item for item in _find_calls(code, _is_random) if item.at_import)


def find_threads(code: AppCode) -> Iterator[CodeFinding]:
    """Yield the calls that create threads or processes, at import or later.

    :param code: the code of the app.
    """
    return _find_calls(code, lambda _, origin: origin in _THREADS)


def find_async_primitives(code: AppCode) -> Iterator[CodeFinding]:
    """Yield locks, events and queues of asyncio that are created while the app is imported.

    All requests share them.

    :param code: the code of the app.
    """
    primitives = _find_calls(code, lambda _, origin: origin in _PRIMITIVES)
    return (item for item in primitives if item.at_import)


def find_blocking_clients(code: AppCode) -> Iterator[CodeFinding]:
    """Yield the imports of HTTP clients that open sockets themselves and block the thread.

    :param code: the code of the app.
    """
    for module in code.modules:
        for item in read_imports(module.code.nodes, module.package):
            found = [name for name in item.modules if _is_inside(name, _CLIENTS)]
            if found and not item.optional:
                yield CodeFinding(path=module.path, line=item.line, text=found[0], at_import=False)


def find_file_databases(code: AppCode) -> Iterator[CodeFinding]:
    """Yield the places that name a database file, such as a file of SQLite.

    :param code: the code of the app.
    """
    for module in code.modules:
        for item in find_database_files(module.code, module.names):
            yield CodeFinding(path=module.path, line=item.line, text=item.text, at_import=False)


def _find_calls(code: AppCode, matches: Callable[[ast.Call, str], bool]) -> Iterator[CodeFinding]:
    """Yield the calls for which ``matches`` accepts the function, the class or a base class."""
    for item in code.iter_expressions():
        if isinstance(item.node, ast.Call):
            origins = code.list_origins(item.module, item.node.func)
            if found := sorted(origin for origin in origins if matches(item.node, origin)):
                yield _create_finding(item, found[0])


def _is_random(call: ast.Call, origin: str) -> bool:
    if origin in _EQUAL or (origin in _SEEDED and (call.args or call.keywords)):
        return False
    return origin in _RANDOM or origin.startswith(_RANDOM_MODULES)


def _describe_read(item: EvaluatedExpression, code: AppCode) -> str:
    """Return the text of an expression that reads the environment; empty for any other."""
    names, node = item.module.names, item.node
    if isinstance(node, ast.Call):
        origins = code.list_origins(item.module, node.func)
        readers = sorted(origins.intersection(_READING))
        readers += [name for name in origins if name.rpartition(".")[0] in _ENVIRONMENT]
        variable = names.resolve_strings(node.args[0]) if node.args else []
        return f"{readers[0]}({', '.join(map(repr, variable))})" if readers else ""
    if isinstance(node, ast.Subscript) and names.resolve_origin(node.value) in _ENVIRONMENT:
        variable = names.resolve_strings(node.slice)
        return f"os.environ[{', '.join(map(repr, variable)) or '...'}]"
    is_read = isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load)
    return "os.environ" if is_read and names.resolve_origin(node) in _ENVIRONMENT else ""


def _iter_ignored(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield the uses of the environment that set a variable or assign the environment to a name."""
    for node in nodes:
        if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            yield from (node, node.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in _WRITING:
                yield from (node, node.func, node.func.value)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Name | ast.Attribute):
            yield node.value  # env = os.environ


def _is_inside(name: str, modules: Collection[str]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def _create_finding(item: EvaluatedExpression, text: str) -> CodeFinding:
    return CodeFinding(
        path=item.module.path, line=item.node.lineno, text=text, at_import=item.at_import
    )
