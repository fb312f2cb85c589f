"""Read from a module's source which modules it may import, without running it.

The result depends on the source alone. Imports in functions count like imports at the top level,
since most functions with imports run at the first start or the first request. Imports for type
checkers do not count. Imports in properties do not count, because a large client has many
properties, and an app reads few of them.
"""

import ast
import re
from typing import NamedTuple

# Positions in the list that describes a module.
EAGER, TRIED, INNER, REQUIRED, LAZY, NAMED, PREFIXES = range(7)
IMPORT_CALLS = ("import_module", "import_string", "__import__")
_ATTRIBUTE = re.compile(rb"""['"]([A-Za-z_][\w.]*):[A-Za-z_][\w.]*['"]""")
_DOTTED = re.compile(rb"""['"]([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)(?::[\w.]+)?['"]""")
_EMPTY = [[], [], [], [], None, [], []]


def read_module_imports(source, module, is_package, is_own):
    """Return the modules and names that a module may import, as JSON builtins.

    An import is a pair of a module and a name. These constants are the positions in the returned
    list:

    - ``EAGER``: the imports that run with the module.
    - ``TRIED``: the imports in functions, if the failure of the import is caught.
    - ``INNER``: the other imports in functions.
    - ``REQUIRED``: the imports without which the module cannot be imported.
    - ``LAZY``: the imports in ``__getattr__`` of the module, by the attribute that needs them.
      ``None`` if the module has no ``__getattr__``.
    - ``NAMED``: the modules that strings name.
    - ``PREFIXES``: the beginnings of module names whose ends are computed.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _EMPTY
    package = module if is_package else module.rpartition(".")[0]
    reader = Reader(package)
    reader.read_block(tree.body, State(True, True, False, False))
    pattern = _DOTTED if is_own else _ATTRIBUTE
    named = {name.decode() for name in pattern.findall(source)}
    prefixes = set()
    if any(call.encode() in source for call in IMPORT_CALLS):
        read_import_calls(tree, package, named, prefixes)
    if reader.lazy is not None:
        read_lazy_tables(tree, package, reader.lazy)
    return [
        sorted(reader.eager),
        sorted(reader.tried),
        sorted(reader.inner),
        sorted(reader.required),
        reader.lazy and {name: sorted(pairs) for name, pairs in reader.lazy.items()},
        sorted(named),
        sorted(prefixes),
    ]


class State(NamedTuple):
    """How and when the statements of a block run.

    :param required: whether the module cannot be imported if one of the statements fails.
    :param tried: whether the statements run when the module is imported, or their failure is
        caught.
    :param typed: whether only a type checker reads the statements.
    :param inside: whether the statements are in a function, or run only in exceptional cases.
    """

    required: bool
    tried: bool
    typed: bool
    inside: bool


class Reader:
    """Read the statements of one module."""

    def __init__(self, package):
        self.package = package
        self.eager = set()
        self.tried = set()
        self.inner = set()
        self.required = set()
        self.lazy = None
        self.classes = 0  # that are being read, one in the other
        self.typed = {}  # what a type checker imports, by the name that it is bound to

    def read_block(self, body, state):
        for statement in body:
            kind = type(statement)
            if kind is ast.Import or kind is ast.ImportFrom:
                self.read_import(statement, state)
            elif kind is ast.FunctionDef or kind is ast.AsyncFunctionDef:
                self.read_function(statement, state)
            elif kind is ast.If:
                self.read_condition(statement, state)
            elif kind is ast.Try or kind is ast.TryStar:
                self.read_try(statement, state)
            else:
                self.read_blocks_inside(statement, state)

    def read_import(self, statement, state):
        # A lazy import, as of Python 3.15, fails at the first use of the name.
        is_required = state.required and not getattr(statement, "is_lazy", False)
        for pair, bound in iter_pairs(statement, self.package):
            if state.typed:
                self.typed.setdefault(bound, set()).add(pair)
                continue
            if not state.inside:
                self.eager.add(pair)
            else:
                (self.tried if state.tried else self.inner).add(pair)
            if is_required:
                self.required.add(pair)

    def read_function(self, function, state):
        if function.name == "__getattr__" and not state.inside and not self.classes:
            # Its imports depend on the attribute: it has the imported name, or is in a table.
            self.lazy = self.typed
            for node in ast.walk(function):
                if type(node) is ast.ImportFrom:
                    for pair, _ in iter_pairs(node, self.package):
                        self.lazy.setdefault(pair[1], set()).add(pair)
        elif not is_property(function):
            self.read_block(function.body, State(False, False, state.typed, True))

    def read_condition(self, statement, state):
        """Read the blocks of an ``if`` statement with any number of ``elif`` clauses."""
        while True:
            states = self.choose_states(statement.test, state)
            self.read_block(statement.body, states[0])
            if len(statement.orelse) != 1 or type(statement.orelse[0]) is not ast.If:
                return self.read_block(statement.orelse, states[1])
            statement, state = statement.orelse[0], states[1]

    def choose_states(self, test, state):
        """Return the states of the block after a condition, and of the block after ``else``."""
        is_negated = type(test) is ast.UnaryOp and type(test.op) is ast.Not
        if is_type_checking(test.operand if is_negated else test):
            states = (state._replace(typed=True), state)
        elif is_negated or not has_type_checking(test):
            states = (state._replace(required=False),) * 2
        else:  # `TYPE_CHECKING or not ...`: the module has another way to import these names
            states = (State(False, False, state.typed, True), state._replace(required=False))
        return states[::-1] if is_negated else states

    def read_try(self, statement, state):
        optional = state._replace(required=False)
        is_caught = not all(map(is_raising, statement.handlers))
        self.read_block(statement.body, optional._replace(tried=True) if is_caught else state)
        for handler in statement.handlers:
            self.read_block(handler.body, optional)
        self.read_block(statement.orelse, optional)
        self.read_block(statement.finalbody, state)

    def read_blocks_inside(self, statement, state):
        """Read the blocks of a class, a loop, a ``with`` or a ``match``."""
        kind = type(statement)
        if kind is ast.With and is_suppressing(statement):
            state = state._replace(required=False, tried=True)
        elif kind is not ast.ClassDef and kind is not ast.With:
            state = state._replace(required=False)
        self.classes += kind is ast.ClassDef
        for body in (getattr(statement, "body", ()), getattr(statement, "orelse", ())):
            if type(body) is list:
                self.read_block(body, state)
        for case in getattr(statement, "cases", ()):
            self.read_block(case.body, state)
        self.classes -= kind is ast.ClassDef


def iter_pairs(statement, package):
    """Yield the module and the name of each imported object, and the name that is bound to it."""
    if type(statement) is ast.Import:
        for alias in statement.names:
            yield (alias.name, ""), alias.asname or alias.name
        return
    module = to_absolute("." * statement.level + (statement.module or ""), package)
    for alias in statement.names:
        yield (module, alias.name), alias.asname or alias.name


def to_absolute(name, package):
    """Convert a relative module name, such as ``..config``, to an absolute name."""
    rest = name.lstrip(".")
    level = len(name) - len(rest)
    if not level:
        return name
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - level + 1], *([rest] if rest else [])])


def is_property(function):
    return any("property" in get_last_name(item) for item in function.decorator_list)


def is_type_checking(test):
    return get_last_name(test) == "TYPE_CHECKING"


def has_type_checking(test):
    """Return whether a condition is an ``or`` with ``TYPE_CHECKING`` as an operand."""
    is_any = type(test) is ast.BoolOp and type(test.op) is ast.Or
    return is_any and any(map(is_type_checking, test.values))


def is_raising(handler):
    """Return whether an ``except`` block contains a ``raise`` statement at its top level."""
    return any(type(statement) is ast.Raise for statement in handler.body)


def is_suppressing(statement):
    """Return whether a ``with`` statement suppresses exceptions."""
    calls = (item.context_expr for item in statement.items)
    return any(type(it) is ast.Call and get_last_name(it.func) == "suppress" for it in calls)


def get_last_name(node):
    """Return the name of a variable or an attribute; empty for other expressions."""
    if type(node) is ast.Name:
        return node.id
    return node.attr if type(node) is ast.Attribute else ""


def read_import_calls(tree, package, strings, prefixes):
    """Add the modules that are named in calls of import functions."""
    for node in iter_nodes_outside_getattr(tree):
        if type(node) is not ast.Call or get_last_name(node.func) not in IMPORT_CALLS:
            continue
        argument = node.args[0] if node.args else None
        if type(argument) is ast.JoinedStr and argument.values:
            if text := get_text(argument.values[0]):
                prefixes.add(to_absolute(text, package))
        elif text := get_text(argument):
            strings.add(to_absolute(text, package))


def iter_nodes_outside_getattr(tree):
    """Yield the nodes of a module, except the nodes of functions named ``__getattr__``."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if type(node) is not ast.FunctionDef or node.name != "__getattr__":
            yield node
            pending.extend(ast.iter_child_nodes(node))


def read_lazy_tables(tree, package, lazy):
    """Add the modules in dictionaries such as ``{"Agent": ".agents"}``, by the attribute's name."""
    for node in ast.walk(tree):
        if type(node) is not ast.Dict:
            continue
        for key, value in zip(node.keys, node.values, strict=True):
            if name := get_text(key):
                texts = filter(None, map(get_text, ast.walk(value)))
                for text in texts:
                    pairs = {(to_absolute(text, package), ""), (f"{package}.{text}", "")}
                    lazy.setdefault(name, set()).update(pairs)


def get_text(node):
    """Return the text of a constant; empty for other expressions."""
    return node.value if type(node) is ast.Constant and type(node.value) is str else ""
