"""No sweep of stale directories removes a directory that another module still uses."""

import ast

from mastra_deployer.files.temporary import temporary_directory
from tests.laws.sources import all_sources, shown, tree

SWEEPING = ("remove_stale_directories", "temporary_directory")
CREATING = ("TemporaryDirectory", "mkdtemp", *SWEEPING)


def get_name(call):
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def find_prefixes():
    """Return where each prefix is given, by prefix: those that are swept, and all of them."""
    swept, created = {}, {}
    for path in all_sources():
        module = tree(path)
        constants = {
            node.targets[0].id: node.value.value
            for node in module.body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        }
        for call in ast.walk(module):
            if isinstance(call, ast.Call) and get_name(call) in CREATING:
                words = [word.value for word in call.keywords if word.arg == "prefix"]
                positional = call.args[1:2] if get_name(call) in SWEEPING else []
                for value in (*words, *positional):
                    name = getattr(value, "id", "")
                    prefix = constants.get(name) or getattr(value, "value", None)
                    if isinstance(prefix, str):
                        created.setdefault(prefix, []).append(shown(path))
                        if get_name(call) in SWEEPING:
                            swept.setdefault(prefix, []).append(shown(path))
    return swept, created


def test_each_prefix_belongs_to_one_module():
    swept, created = find_prefixes()
    assert len(swept) > 2
    assert {
        (prefix, other): places
        for prefix in swept
        for other, places in created.items()
        if other.startswith(prefix) and (other != prefix or len(set(places)) > 1)
    } == {}


def test_a_killed_command_leaves_no_directory_for_ever():
    """A directory of Python's own function would stay after SIGKILL, with the code of the app."""
    places = {
        shown(path)
        for path in all_sources()
        for call in ast.walk(tree(path))
        if isinstance(call, ast.Call) and get_name(call) in ("TemporaryDirectory", "mkdtemp")
    }
    assert {place for place in places if "packages/deployer" in place} == {
        "packages/deployer/src/mastra_deployer/files/temporary.py"
    }


def test_a_directory_in_use_is_kept_and_a_stale_one_is_removed(tmp_path):
    stale = tmp_path / "thing-stale"
    stale.mkdir()
    with temporary_directory(tmp_path, "thing-") as first:
        with temporary_directory(tmp_path, "thing-") as second:
            assert first.is_dir()
            assert second.is_dir()
        assert first.is_dir()
    assert list(tmp_path.iterdir()) == []
