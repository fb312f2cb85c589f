"""Where the sources of this repository are, for laws that read them."""

import ast

from tests.repository import ROOT

PACKAGES = {
    path.parent.parent.parent.name: path.parent
    for path in sorted((ROOT / "packages").glob("*/src/*/__init__.py"))
}
# Files that are written into projects; they are no modules of a package.
TEMPLATE = "template"


def sources(package):
    """Every Python file of a package."""
    return [
        path
        for path in sorted(PACKAGES[package].rglob("*.py"))
        if not {TEMPLATE, "__pycache__"} & set(path.parts)
    ]


def all_sources():
    return [path for package in PACKAGES for path in sources(package)]


def module_name(path):
    """The dotted name a file is imported by."""
    relative = path.relative_to(next(root.parent for root in PACKAGES.values() if _in(path, root)))
    parts = relative.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def shown(path):
    return path.relative_to(ROOT).as_posix()


def _in(path, root):
    return root in path.parents
