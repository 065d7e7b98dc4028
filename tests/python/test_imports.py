"""ARCHITECTURE.md's table of folders holds: every import is allowed there, and no imports form a circle.

Python's imports are read from the syntax tree, those under TYPE_CHECKING and within functions included; Rust's are the
paths that begin with `crate::`.
"""

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE, CRATE = ROOT / "python" / "rnnrs", ROOT / "src"


def read_table():
    """(unit → allowed units) of both languages: a unit is a folder or file below `python/rnnrs` or `src`.

    A name in bold stands for the units that its line above the table lists.
    """
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    text = text[text.index("## Folders, and what they may import") :]
    text = text[: text.index("\n## ", 3)]
    groups = {
        name: [unit(path) for path in re.findall(r"`([^`]+)`", line)]
        for name, line in re.findall(r"^- \*\*(\w+)\*\*: ((?:.+\n)+?)(?=- |\n)", text, re.MULTILINE)
    }
    rows = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if len(cells) == 3 and cells[0] != "folder" and not set(cells[0]) <= set("-"):
            rows.append(([unit(path) for path in re.findall(r"`([^`]+)`", cells[0])], cells[2]))
    table = {}
    for units, allowed in rows:
        reach = {unit(path) for path in re.findall(r"`([^`]+)`", allowed)}
        for name in re.findall(r"\*\*(\w+)\*\*", allowed):
            reach |= set(groups[name])
        for one in units:
            assert one not in table, f"ARCHITECTURE.md lists {one} twice"
            table[one] = reach
    return table


def unit(path):
    """A path of the table as a unit: "python:nn", "rust:kernels"; without a prefix it is Python's."""
    path = path.removesuffix(".rs").removesuffix(".py").rstrip("/")
    if path.startswith("src/"):
        return "rust:" + path[4:]
    return "python:" + path.removeprefix("python/rnnrs/")


def unit_of(parts, table, language):
    """The most specific unit of the table that a module belongs to."""
    for length in range(len(parts), 0, -1):
        name = f"{language}:{'/'.join(parts[:length])}"
        if name in table:
            return name
    return None


def python_modules():
    modules = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        modules[parts[:-1] if is_package else parts] = (path, is_package)
    return modules


@functools.cache
def python_imports():
    """(importing module, imported module, place) of all imports within the package; modules are tuples of names."""
    return list(imports_of(python_modules()))


def imports_of(modules):
    for name, (path, is_package) in modules.items():
        base, file = name if is_package else name[:-1], path.relative_to(ROOT)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for target in targets(node, base):
                place = f"{file}:{node.lineno}"
                module = next((target[:n] for n in range(len(target), -1, -1) if target[:n] in modules), None)
                if target[:1] == ("_rnnrs",):
                    module = ("_rnnrs",)
                assert module is not None, place
                if module != name:
                    yield name, module, place


def targets(node, base):
    """What an import statement names, below the package."""
    if isinstance(node, ast.ImportFrom):
        if node.level:
            start = base[: len(base) - node.level + 1]
        elif (node.module or "").split(".")[0] == "rnnrs":
            start = ()
        else:
            return []
        module = (node.module or "").removeprefix("rnnrs").strip(".") if not node.level else node.module or ""
        found = (*start, *filter(None, module.split(".")))
        return [(*found, alias.name) for alias in node.names]
    if isinstance(node, ast.Import):
        return [tuple(a.name.split(".")[1:]) for a in node.names if a.name.split(".")[0] == "rnnrs"]
    return []


def rust_imports():
    """(importing unit's parts, imported unit's parts, place) of all paths of the crate."""
    for path in CRATE.rglob("*.rs"):
        name = path.relative_to(CRATE).with_suffix("").parts
        text = path.read_text(encoding="utf-8")
        for found in re.finditer(r"\bcrate::(?:\{([^}]*)\}|(\w+))", text):
            place = f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, found.start()) + 1}"
            for target in (found[1] or found[2]).split(","):
                first = target.strip().split("::")[0]
                if first:  # the crate's root re-exports the error
                    yield name, ("error",) if first in ("Error", "Result") else (first,), place


def violations(imports, table, language):
    for name, target, place in imports:
        if not target:  # the package itself
            yield f"{place}: imports the package rnnrs, whose __init__ is above everything"
            continue
        here, there = unit_of(name or ("__init__",), table, language), unit_of(target, table, language)
        if here is None or there is None:
            missing = "/".join((name or ("__init__",)) if here is None else target)
            yield f"{place}: {missing} is not in ARCHITECTURE.md's table"
        elif here != there and there not in table[here]:
            yield f"{place}: {here} imports {there}, which ARCHITECTURE.md does not allow"


@pytest.fixture(scope="module")
def table():
    return read_table()


def test_python_imports_are_those_that_architecture_md_allows(table):
    assert not list(violations(python_imports(), table, "python"))


def test_rust_imports_are_those_that_architecture_md_allows(table):
    found = list(violations(rust_imports(), table, "rust"))
    assert not found


def test_no_imports_form_a_circle():
    graph = {name: set() for name in python_modules()}
    for name, target, _ in python_imports():
        if target in graph:
            graph[name].add(target)
    assert not circles(graph)


def test_the_table_allows_no_circle_of_folders(table):
    python = {name: {t for t in reach if t != name} for name, reach in table.items() if name[0] == "p"}
    assert not circles({name: reach & python.keys() for name, reach in python.items()})


def test_the_table_lists_what_there_is(table):
    for name in table:
        language, _, path = name.partition(":")
        base = PACKAGE if language == "python" else CRATE
        suffix = ".py" if language == "python" else ".rs"
        assert path == "_rnnrs" or (base / path).is_dir() or (base / f"{path}{suffix}").is_file(), name


def test_a_wrong_import_is_found(table):
    wrong = [
        (("nn", "rnn"), ("models", "base", "training"), "a"),
        (("data", "batch"), ("train", "trainer"), "b"),
        (("models", "writer", "network"), ("models", "captions", "network"), "c"),
        (("nn", "rnn"), (), "d"),
    ]
    assert len(list(violations(wrong, table, "python"))) == len(wrong)
    assert list(violations([(("layers", "rnn"), ("python",), "e")], table, "rust"))
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    tree = ast.parse("def f():\n    from ..models import Chatbot\n")
    assert [t for node in ast.walk(tree) for t in targets(node, ("nn",))] == [("models", "Chatbot")]


def circles(graph):
    """The strongly connected components of more than one node (Tarjan 1972), each sorted."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph[node]):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            component = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(component) > 1:
                found.append(sorted(component))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found
