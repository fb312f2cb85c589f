"""Follow the imports between the modules of a bundle."""

EAGER, TRIED, INNER, REQUIRED, LAZY, NAMED, PREFIXES = range(7)  # as in module_imports_child


class ModuleIndex:
    """The modules that can be imported, by dotted name.

    :param modules: a mapping whose keys are the modules that have a source. The mapping's values
        are ignored.
    :param extensions: extension modules.
    :param standard: names of the standard library at the top level.
    """

    def __init__(self, modules, extensions, standard) -> None:
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
        """Yield the modules whose dotted names begin with ``prefix``, such as ``package.name_``."""
        package = prefix.rpartition(".")[0]
        return (name for name in self.children.get(package, ()) if name.startswith(prefix))


class ModulePlaces:
    """The file of each module; if several trees contain a module, that of the first tree counts.

    :param trees: the names of the files of each tree, in the order of ``sys.path``.
    """

    def __init__(self, trees) -> None:
        self.places = {}  # number of the tree and name of the file, by dotted name
        self.extensions = set()
        for number, files in enumerate(trees):
            for file in files:
                self._add(number, file)

    def _add(self, number, file):
        folder, _, name = file.rpartition("/")
        stem, _, suffix = name.partition(".")
        module = f"{folder}/{stem}".strip("/").replace("/", ".")
        if suffix == "py":
            self.places.setdefault(module.removesuffix(".__init__"), (number, file))
        elif suffix.endswith(("so", "pyd")):
            self.extensions.add(module)

    def get_imports(self, imports) -> dict:
        """Return the known imports of each module, by dotted name.

        :param imports: the known imports of each file, for each tree.
        """
        return {
            module: imports[number][file]
            for module, (number, file) in self.places.items()
            if file in imports[number]
        }


class Walk:
    """Collect the modules that given modules import, directly or not.

    A walk stops at modules whose imports are not known yet, and continues when the imports are
    known.

    :param index: the modules of the bundle.
    :param imports: the known imports of each module; the mapping may grow between two calls.
    :param broken: modules that cannot be imported. The walk collects a broken module only for an
        import at the top level of a module, or for an import whose failure is caught.
    :param is_library: whether the modules are the standard library. Most functions of the standard
        library that import modules are never called.
    """

    def __init__(self, index, imports, broken=frozenset(), *, is_library=False) -> None:
        self.index, self.imports, self.broken = index, imports, broken
        self.is_library = is_library
        self.reached = set()
        self.standard = set()  # modules of the standard library
        self._pending = []
        self._added = set()  # pairs of a module and an attribute
        self._attributes = {}  # names that are read from a module, before its imports are known

    def add(self, module, *, is_tried=False) -> None:
        """Add a module and its packages."""
        if module in self.reached:
            return
        if module.partition(".")[0] in self.index.standard:
            self.standard.add(module)
            return
        name = ""
        for part in module.split("."):
            name = f"{name}.{part}" if name else part
            if name not in self.index.modules and name not in self.index.packages:
                return  # the rest may have thousands of parts
            is_new = name in self.index.modules and name not in self.reached
            if is_new and (is_tried or name not in self.broken):
                self.reached.add(name)
                self._pending.append(name)

    def follow(self) -> list:
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
        self.follow_pairs(facts[EAGER])
        self.follow_pairs(facts[TRIED])
        if module in self.broken or self.is_library:
            return
        self.follow_functions(facts)
        self.follow_attributes(module)

    def follow_pairs(self, pairs):
        """Add the targets of imports that run with their module, or whose failure is caught."""
        for pair in pairs:
            self.add_import(*pair, is_tried=True)

    def follow_functions(self, facts):
        """Add what the functions of a module import, and the modules that its strings name."""
        for pair in facts[INNER]:
            self.add_import(*pair)
        for name in facts[NAMED]:
            if self.index.has_module(name) or name in self.index.standard:
                self.add(name)
        for prefix in facts[PREFIXES]:
            for name in self.index.iter_matches(prefix):
                self.add(name)

    def follow_attributes(self, module):
        """Add the imports of a module for each attribute that other modules read from it."""
        for name in self._attributes.pop(module, ()):
            self._add_attribute(module, name)

    def add_root(self, name) -> None:
        """Add a module by its dotted name, which may end with attributes."""
        while name and not self.index.has_module(name) and "." in name:
            name, _, attribute = name.rpartition(".")
            self.add_import(name, attribute)
        self.add(name)

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


class StartWalk(Walk):
    """Collect the modules that a start imported, and those that the first requests import.

    The start has already run the top-level imports of the modules that it imported, so the walk
    does not follow them. Imports in functions count only in the modules of optional features. The
    start imports a module of an optional feature only if the app uses this feature.

    :param index: the modules of the bundle.
    :param imports: the known imports of each module.
    :param broken: modules that cannot be imported.
    :param start_modules: the modules that the start imported.
    :param is_feature: returns whether a module belongs to an optional feature.
    """

    def __init__(
        self, index, imports, broken, start_modules=(), is_feature=lambda _: False
    ) -> None:
        super().__init__(index, imports, broken)
        self._start_modules, self._is_feature = start_modules, is_feature
        for name in start_modules:
            self.add(name, is_tried=True)

    def _follow_module(self, module, facts):
        if module not in self._start_modules:
            self.follow_pairs(facts[EAGER])
        if module not in self.broken and self._is_feature(module):
            self.follow_pairs(facts[TRIED])
            self.follow_functions(facts)
        self.follow_attributes(module)


def find_broken(index, imports) -> set:
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
