"""Which distributions ship: those that the project needs to serve."""

from mastra_core.pipeline import Platform
from mastra_deployer.bundler.vendor.distributions import Distribution
from mastra_deployer.bundler.vendor.prune import DependencyGraph


def build_graph(requires, *, tools=(), app_requirements=()):
    distributions = {
        name: Distribution(
            name=name, version="1", info=f"{name}.dist-info", requires=lines, tool=name in tools
        )
        for name, lines in requires.items()
    }
    direct = {"app": frozenset()}
    platform = Platform(python="3.12", wheels="x86_64-manylinux_2_28")
    return DependencyGraph(distributions, direct, platform, frozenset(app_requirements))


def test_distributions_that_require_each_other_ship():
    graph = build_graph({"app": ("a",), "a": ("b",), "b": ("a", "app")})
    assert graph.find_unneeded(frozenset()) == {}
    assert graph.collect_requirers() == {"app": ("", "b"), "a": ("app", "b"), "b": ("a",)}


def test_only_extras_that_are_required_count():
    requires = {
        "app": ("a[fast]",),
        "a": ("b; extra == 'fast'", "c; extra == 'slow'", "d; sys_platform == 'win32'"),
        "b": (),
        "c": (),
        "d": (),
    }
    requirers = build_graph(requires).collect_requirers()
    assert requirers == {"app": ("",), "a": ("app",), "b": ("a",)}


def test_requirements_of_tools_ship_only_if_others_need_them():
    requires = {"app": ("tool", "a"), "tool": ("a", "b", "c"), "a": (), "b": (), "c": ()}
    graph = build_graph(requires, tools=("tool",), app_requirements=("c",))
    unneeded = graph.find_unneeded(frozenset())
    assert unneeded == {
        "tool": "offers deployers or plugins",
        "b": "required only by distributions that do not ship",
    }
    assert "b" not in graph.find_unneeded(frozenset({"b"})), "the project keeps it"
