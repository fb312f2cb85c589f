"""Find what the code of a distribution uses: stubs, headers, tests and requirements.

Stubs, headers and tests ship only if the code uses them. The first build of an app reads all
modules of all dependencies. To save time, the build parses only the modules that contain one of a
few words.
"""

from __future__ import annotations

import ast
import functools
import re
import warnings
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import msgspec

from mastra_deployer.bundler.resolve.unneeded_requirements import find_needing_names
from mastra_deployer.bundler.vendor.required_imports import RequiredImports
from mastra_deployer.project.ast_imports import read_imports
from mastra_deployer.project.ast_names import to_absolute_name

__all__ = (
    "SOURCE_SUFFIXES",
    "TEST_NAMES",
    "CodeUsage",
    "is_test_directory",
    "iter_test_directories",
    "read_code_usage",
)

TEST_NAMES = frozenset(("tests", "test"))
# Packages for the tests of apps. The name alone is not enough: servers also use numpy.testing.
_TEST_PACKAGES = frozenset(("litestar/testing", "mastra_core/testing"))
SOURCE_SUFFIXES = frozenset((".h", ".hpp", ".c", ".cpp", ".pyx", ".pxd", ".a"))
_STUBS = re.compile(rb"""\bpyi['"]|\battach_stub\b""")
_SOURCES = re.compile(rb"""['"/]([\w-]+\.(?:hpp|h|cpp|c|pyx|pxd|a))['"]""")
# Patterns that begin with a line break are found three times as fast as those with ^.
_TEST_IMPORT = re.compile(
    rb"""\n[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import[ \t]*(\([^)]*\)|[^\n#]*)"""
    rb"""|import[ \t]+([^\n#]*))"""
)
_TEST = re.compile(rb"""test(?<=[. (,\t\n]test)(?:s|ing)?[., )\n'"]""")
_TEST_STRING = re.compile(
    rb"""(?<=['"])[A-Za-z_][\w.]*\.(?:tests?\.[\w.]+|testing(?:\.[\w.]+)?)(?=['"])"""
)
_WORD = re.compile(r"\w+")


class CodeUsage(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of distributions that the code of one distribution uses.

    :param tests: test directories from which the code imports modules. The key is the test
        directory that has the import, or an empty string for an import in other code.
    :param stubs: whether the code reads the stubs beside its modules.
    :param foreign_stubs: whether the code reads the stubs of other distributions, as type checkers
        do.
    :param sources: names of headers, and of source files of compiled code, that occur in the code.
    :param imports: the top-level modules among the ``targets`` of ``read_code_usage`` that the
        distribution cannot be imported without, and the dotted names among the ``targets`` whose
        parts occur in its code.
    :param required: the optional requirements without which a module cannot be imported, as dotted
        names of modules. The key is the file of the module.
    """

    tests: dict[str, tuple[str, ...]] = {}
    stubs: bool = False
    foreign_stubs: bool = False
    sources: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    required: dict[str, tuple[str, ...]] = {}


def read_code_usage(
    tree: Path, names: Iterable[str], targets: Collection[str], optional: Iterable[str] = ()
) -> CodeUsage:
    """Read which parts of distributions the modules of a distribution use.

    :param tree: the directory that the distribution is installed in.
    :param names: the names of the distribution's files, relative to ``tree``.
    :param targets: the dotted names of modules that ``CodeUsage.imports`` may contain.
    :param optional: canonical names of requirements that may not ship; only these can occur in
        ``CodeUsage.required``.
    """
    names = list(names)
    packages = {it.removesuffix("__init__.py") for it in names if it.endswith("/__init__.py")}
    reader = _Reader(
        targets, sources=any(PurePosixPath(it).suffix in SOURCE_SUFFIXES for it in names)
    )
    required_imports = RequiredImports(optional)
    required: dict[str, tuple[str, ...]] = {}
    for name in names:
        if name.endswith(".py") and ".." not in name:
            source = _read_bytes(f"{tree}/{name}")
            reader.read(name, source)
            is_module = name[: name.rfind("/") + 1] in packages  # else it may be a template
            if is_module and (found := required_imports.find(source)):
                required[name] = tuple(sorted(found))
    has_typeshed = any("/typeshed/" in name for name in names)
    return CodeUsage(
        tests={place: tuple(sorted(found)) for place, found in sorted(reader.tests.items())},
        stubs=reader.stubs,
        foreign_stubs=reader.stubs and has_typeshed,
        sources=tuple(sorted(reader.sources)),
        imports=tuple(sorted(reader.imports)),
        required=required,
    )


def iter_test_directories(module: str) -> Iterator[str]:
    """Yield the test directories in the path of a module, the outermost first.

    :param module: a dotted name, such as ``astropy.tests.helper``, which is in ``astropy/tests``.
    """
    parts = module.split(".")
    for number in range(2, len(parts) + 1):
        if is_test_directory(parts[:number]):
            yield "/".join(parts[:number])


def is_test_directory(parts: Sequence[str]) -> bool:
    """Return whether a directory of a distribution contains only tests, or code for tests.

    :param parts: the parts of the directory's path. The first part is the package itself, which may
        be called ``test``.
    """
    return len(parts) > 1 and (parts[-1] in TEST_NAMES or "/".join(parts) in _TEST_PACKAGES)


class _Reader:
    """Collects the parts of distributions that modules use."""

    def __init__(self, targets: Collection[str], *, sources: bool) -> None:
        self._targets = set(targets)
        self._has_sources = sources
        self.tests: dict[str, set[str]] = defaultdict(set)
        self.stubs = False
        self.sources: set[str] = set()
        self.imports: set[str] = set()

    def read(self, name: str, source: bytes) -> None:
        package = name.rpartition("/")[0].replace("/", ".")
        places = [*iter_test_directories(package)]
        place = places[-1] if places else ""
        if b"test" in source and _TEST.search(source):
            self.tests[place].update(_iter_imported_tests(source, package))
            if not self.tests[place]:
                del self.tests[place]
        if place:
            return
        if not self.stubs and (b"pyi" in source or b"attach_stub" in source):
            self.stubs = _STUBS.search(source) is not None
        if self._has_sources:
            self.sources.update(match.decode() for match in _SOURCES.findall(source))
        missing = self._targets - self.imports
        self.imports |= find_needing_names(source, (name for name in missing if "." in name))
        targets = frozenset(name for name in missing if "." not in name)
        if targets and _make_import_pattern(targets).search(b"\n" + source):
            self.imports.update(_iter_needed_imports(source, package, targets))


@functools.cache
def _make_import_pattern(names: frozenset[str]) -> re.Pattern[bytes]:
    listed = "|".join(sorted(names)).encode()
    return re.compile(rb"\n[ \t]*(?:import|from)[ \t]+(?:" + listed + rb")\b")


def _iter_needed_imports(source: bytes, package: str, targets: Collection[str]) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings about the code of a dependency are not shown
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
    for item in read_imports(ast.walk(tree), package):
        top = item.module.partition(".")[0]
        if top in targets and not item.optional:
            yield top


def _iter_imported_tests(source: bytes, package: str) -> Iterator[str]:
    for module, names, plain in _TEST_IMPORT.findall(b"\n" + source):
        if b"test" in module or b"test" in names:
            base = to_absolute_name(module.decode(), package)
            for name in ("", *_WORD.findall(names.decode("utf-8", "replace"))):
                yield from iter_test_directories(f"{base}.{name}")
        elif b"test" in plain:
            for part in plain.decode("utf-8", "replace").split(","):
                yield from iter_test_directories(part.strip().partition(" ")[0])
    for text in _TEST_STRING.findall(source) if b".test" in source else ():
        yield from iter_test_directories(text.decode())


def _read_bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123  # called for each module
            return file.read()
    except OSError:  # the RECORD lists a file that is not there
        return b""
