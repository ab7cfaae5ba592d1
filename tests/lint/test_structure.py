"""How the packages hang together: imports, names, the environment."""

import ast
from collections import defaultdict

import pytest
from sources import circles, classes, imports, modules

_CONTRACT = {"Training", "Exporting"}  # what each model family provides under the same name
_CHANGES = {"clear", "pop", "popitem", "setdefault", "update"}
# Puts a run under another clock, locale and user, and takes it all back: that is its purpose.
_ALLOWED = {"microstage_runner.reproduce.conditions", "microstage_streamline.hand_over.build"}  # the latter is a script


@pytest.fixture(scope="module")
def known():
    return modules()


def test_no_modules_import_each_other(known):
    assert not circles(known)


def test_an_import_stands_in_a_function_only_where_something_heavy_is_behind_it(known):
    found = {(one.importer, one.imported) for one in imports(known) if one.lazy}
    assert {pair for pair in found if not pair[1].startswith("microstage.charts")} == set()


def test_a_class_name_means_one_thing(known):
    found = defaultdict(set)
    for name, module in classes(known):
        found[name].add(module)
    public = {name: where for name, where in found.items() if not name.startswith("_") and name not in _CONTRACT}
    assert {name: where for name, where in public.items() if len(where) > 1} == {}


def test_only_entry_points_change_the_environment(known):
    changed = {name for name, module in known.items() if any(map(_changes_environment, ast.walk(module.tree)))}
    assert {name for name in changed if ".commands." not in name and not name.endswith(".__main__")} == _ALLOWED


def _changes_environment(node) -> bool:
    """Whether `node` assigns to `os.environ[...]`, deletes from it or calls a method that changes it."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in _CHANGES and ast.unparse(node.func.value) == "os.environ"
    stored = isinstance(node, ast.Subscript) and isinstance(node.ctx, (ast.Store, ast.Del))
    return stored and ast.unparse(node.value) == "os.environ"
