"""Follow the imports between the modules of a bundle."""

TRIED, INNER, REQUIRED, LAZY, NAMED, PREFIXES = range(6)  # as in module_imports_child


class ModuleIndex:
    """The modules that can be imported, by dotted name.

    :param modules: those with a source, each with any value of the caller.
    :param extensions: extension modules.
    :param standard: names of the standard library at the top level.
    """

    def __init__(self, modules, extensions, standard):
        self.modules, self.extensions, self.standard = modules, extensions, standard
        self.packages = set()  # directories with modules, also those without an __init__
        for name in (*modules, *extensions):
            while name := name.rpartition(".")[0]:
                self.packages.add(name)
        self.children = {}
        for name in modules:
            self.children.setdefault(name.rpartition(".")[0], []).append(name)

    def is_importable(self, module, name):
        """Return whether an import may succeed; ``False`` only if it certainly fails.

        A package with an ``__init__`` may create its modules at run time.
        """
        top = module.partition(".")[0]
        if top in self.standard or self.has_module(module):
            return True
        if module in self.packages:
            inner = f"{module}.{name}"
            return not name or inner in self.packages or self.has_module(inner)
        while module := module.rpartition(".")[0]:
            if self.has_module(module):
                return True
        return False

    def has_module(self, name):
        return name in self.modules or name in self.extensions

    def iter_matches(self, prefix):
        """Yield the modules whose names begin with ``prefix``, which contains their package."""
        package = prefix.rpartition(".")[0]
        return (name for name in self.children.get(package, ()) if name.startswith(prefix))


class Walk:
    """Collect the modules that given modules import, directly or not.

    A walk stops at modules whose imports are not known yet, and continues when they are.

    :param index: the modules of the bundle.
    :param imports: what is known of the imports of each module; may grow between two calls.
    :param broken: modules that cannot be imported. Such a module counts only where an import
        tries it that runs with another module or whose failure is caught.
    :param is_library: whether the modules are the standard library, of whose functions with imports
        few are called.
    """

    def __init__(self, index, imports, broken=frozenset(), *, is_library=False):
        self.index, self.imports, self.broken = index, imports, broken
        self.is_library = is_library
        self.reached = set()
        self.standard = set()  # modules of the standard library
        self._pending = []
        self._added = set()  # pairs of a module and an attribute
        self._attributes = {}  # names that are read from a module, before its imports are known

    def add(self, module, *, is_tried=False):
        """Add a module and its packages."""
        if module in self.reached:
            return
        if module.partition(".")[0] in self.index.standard:
            self.standard.add(module)
            return
        package = module.rpartition(".")[0]
        if package:
            self.add(package, is_tried=is_tried)
        if module in self.index.modules and (is_tried or module not in self.broken):
            self.reached.add(module)
            self._pending.append(module)

    def follow(self):
        """Follow the imports of all modules; return the modules whose imports are not known yet."""
        unknown = []
        while self._pending:
            module = self._pending.pop()
            if module in self.imports:
                self._follow_module(module, self.imports[module])
            else:
                unknown.append(module)
        self._pending = list(unknown)
        return unknown

    def _follow_module(self, module, facts):
        for pair in facts[TRIED]:
            self.add_import(*pair, is_tried=True)
        if module in self.broken or self.is_library:
            return
        for pair in facts[INNER]:
            self.add_import(*pair)
        for name in facts[NAMED]:
            if self.index.has_module(name) or name in self.index.standard:
                self.add(name)
        for prefix in facts[PREFIXES]:
            for name in self.index.iter_matches(prefix):
                self.add(name)
        for name in self._attributes.pop(module, ()):
            self._add_attribute(module, name)

    def add_import(self, module, name, *, is_tried=False):
        """Add the modules that ``from MODULE import NAME`` imports."""
        self.add(module, is_tried=is_tried)
        if not name or name == "*":
            return
        inner = f"{module}.{name}"
        if inner in self.index.modules or module.partition(".")[0] in self.index.standard:
            self.add(inner, is_tried=is_tried)
        elif module in self.imports:
            self._add_attribute(module, name)
        elif module in self.index.modules:
            self._attributes.setdefault(module, set()).add(name)

    def _add_attribute(self, module, name):
        """Add the modules that the ``__getattr__`` of a module imports for an attribute."""
        lazy = self.imports[module][LAZY]
        if lazy and name in lazy and (module, name) not in self._added:
            self._added.add((module, name))
            for pair in lazy[name]:
                self.add_import(*pair)


def find_broken(index, imports):
    """Return the modules that cannot be imported, because a module that they need is missing."""
    requirers = {}
    pending = []
    for module, found in imports.items():
        for name, inner in found[REQUIRED]:
            if not index.is_importable(name, inner):
                pending.append(module)
            for needed in (name, f"{name}.{inner}"):
                requirers.setdefault(needed, []).append(module)
    broken = set()
    while pending:
        module = pending.pop()
        if module not in broken:
            broken.add(module)
            pending += requirers.get(module, ())
            pending += index.children.get(module, ())
    return broken
