"""Names are the field's terms: no bare participles, no metaphors, no invented words."""

import ast
import re

from tests.laws.sources import all_sources, module_name, tree

# A participle that stands alone says what happened to something, and not what a function does.
PARTICIPLE = re.compile(
    r"([a-z]{2,}ed|told|said|made|found|shown|given|kept|known|begun|held|sent|seen|grown|left|lost|"
    r"gone|chosen|drawn|written|built|taken|brought|put_together|wanted|meant|cut|done)"
)
# Nouns, verbs and terms that end like a participle.
TERMS = {"embed", "exceed", "feed", "need", "proceed", "seed", "shared", "shed", "speed"}
INVENTED = set(
    "afresh blank book care door doors elsewhere handed keeping looking pace paper patience "
    "patient quantity rig scratch sealed spare standin troubles wish wishes".split()
)


def names():
    """Every function, method, parameter and module: where it is, its kind and its name."""
    for path in all_sources():
        place = module_name(path)
        yield place, "module", path.stem
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                if not node.name.startswith("__") and not _is_property(node):
                    yield f"{place}.{node.name}", "function", node.name
                for argument in _parameters(node.args):
                    yield f"{place}.{node.name}({argument})", "parameter", argument


def _is_property(node):
    return any("property" in ast.unparse(each) for each in node.decorator_list)


def _parameters(arguments):
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
    return [each.arg for each in every]


def is_participle(name):
    name = name.strip("_")
    return name not in TERMS and PARTICIPLE.fullmatch(name) is not None


def is_invented(name):
    return name.strip("_").lower() in INVENTED


def test_the_rule_tells_participles_from_terms():
    assert all(map(is_participle, ("told", "_asked", "shown_", "opened")))
    assert not any(map(is_participle, ("feed", "open", "load_state", "is_closed", "red")))


def find_bad_names(kinds):
    """Names of these kinds that are a bare participle or an invented word."""
    return {
        f"{kind} {place}"
        for place, kind, name in names()
        if kind in kinds and (is_participle(name) or is_invented(name))
    }


def test_names_are_terms_of_the_field():
    assert find_bad_names({"function", "module", "parameter"}) == set()
