"""Checks the limits stated in CONTRIBUTING.md: lengths of functions and files, and the width of prose.

Prints `path:line: what, how much, limit` for each violation and exits with 1 if there is one.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
FUNCTION_LINES, FILE_LINES = 40, 400
COMMENT_COLUMNS, PROSE_COLUMNS = 110, 120
MOST_EXCEPTIONS = 10
PROSE = ("README.md", "CHANGELOG.md", "ARCHITECTURE.md", "CONTRIBUTING.md")

#: Exceptions and their reasons, by path (the file's length) or path:function (the body), for both languages.
EXCEPTIONS: dict[str, str] = {
    "python/rnnrs/_rnnrs.pyi": "the declarations of one compiled module",
    "src/decoding.rs": "one step of beam search, whose stages share their scratch memory",
    "src/kernels/generic.rs": "the bodies of all kernels, written once, generic over the vector",
    "src/kernels/tests.rs": "one property per kernel, run for every instruction set",
    "src/layers/attention.rs": "attention with its backward pass beside it",
    "src/layers/recurrence/lockstep.rs": "the shared step, forward and backward, over one exchange",
}


class Violation(NamedTuple):
    """A size above its limit.

    Attributes:
        path: relative to the repository.
        line: counted from 1.
        what: a description for the reader.
        size: the measured size.
        limit: the largest allowed size.
        key: the key in EXCEPTIONS that would allow it; None if no exception is possible.
    """

    path: str
    line: int
    what: str
    size: int
    limit: int
    key: str | None = None

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}, {self.size}, limit {self.limit}"


def check_length(path: str, text: str) -> Iterator[Violation]:
    """Checks the number of lines of a file."""
    count = len(text.splitlines())
    if count > FILE_LINES:
        yield Violation(path, FILE_LINES + 1, "lines of the file", count, FILE_LINES, path)


def functions(
    node: ast.AST, prefix: str = ""
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yields (qualified name, function) for all functions below a node, including methods and nested ones."""
    for child in ast.iter_child_nodes(node):
        name = prefix
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            name = f"{prefix}{child.name}"
            if not isinstance(child, ast.ClassDef):
                yield name, child
            name += "."
        yield from functions(child, name)


def is_text(statement: ast.stmt) -> bool:
    """Returns whether a statement consists of a string alone, as a docstring does."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def check_functions(path: str, tree: ast.Module) -> Iterator[Violation]:
    """Checks the lines of each function's body: from the first statement after the docstring to the end."""
    for name, function in functions(tree):
        body = function.body[1:] if is_text(function.body[0]) else function.body
        if not body:
            continue
        first = min([body[0].lineno, *(d.lineno for d in getattr(body[0], "decorator_list", []))])
        count = (function.end_lineno or first) - first + 1
        if count > FUNCTION_LINES:
            what = f"lines in the body of {name}"
            yield Violation(path, function.lineno, what, count, FUNCTION_LINES, f"{path}:{name}")


def check_comments(path: str, text: str, tree: ast.Module) -> Iterator[Violation]:
    """Checks the width of lines that contain a comment or part of a docstring."""
    lines = text.splitlines()
    found: dict[int, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and is_text(node):
            found |= dict.fromkeys(range(node.lineno, (node.end_lineno or node.lineno) + 1), "docstring")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            found.setdefault(token.start[0], "comment")
    for line, what in sorted(found.items()):
        if (width := len(lines[line - 1])) > COMMENT_COLUMNS:
            yield Violation(path, line, f"columns of a {what}", width, COMMENT_COLUMNS)


def check_prose(path: str, text: str) -> Iterator[Violation]:
    """Checks the width of Markdown lines outside code blocks and tables; link targets do not count."""
    fence = None
    for number, line in enumerate(text.splitlines(), 1):
        mark = re.match(r"\s*(```+|~~~+)", line)
        if mark:
            fence = mark[1] if fence is None else None if mark[1].startswith(fence) else fence
        elif fence is None and not line.lstrip().startswith("|"):
            width = len(re.sub(r"\]\([^)]*\)|<?https?://\S+", "", line))
            if width > PROSE_COLUMNS:
                yield Violation(path, number, "columns of prose", width, PROSE_COLUMNS)


def check_rust_comments(path: str, text: str) -> Iterator[Violation]:
    """Yields the lines that are a comment of Rust's and too wide."""
    for line, content in enumerate(text.splitlines(), 1):
        if content.lstrip().startswith("//") and len(content) > COMMENT_COLUMNS:
            yield Violation(path, line, "columns of a comment", len(content), COMMENT_COLUMNS)


def violations() -> Iterator[Violation]:
    """Yields every size above its limit, including the allowed exceptions."""
    for file in sorted([*ROOT.glob("python/**/*.py"), *ROOT.glob("python/**/*.pyi")]):
        path, text = file.relative_to(ROOT).as_posix(), file.read_text("utf-8")
        tree = ast.parse(text, path)
        yield from check_length(path, text)
        yield from check_functions(path, tree)
        yield from check_comments(path, text, tree)
    for file in sorted(ROOT.glob("src/**/*.rs")):
        path, text = file.relative_to(ROOT).as_posix(), file.read_text("utf-8")
        yield from check_length(path, text)
        yield from check_rust_comments(path, text)
    for file in [*(ROOT / name for name in PROSE), *sorted(ROOT.glob("docs/*.md"))]:
        yield from check_prose(file.relative_to(ROOT).as_posix(), file.read_text("utf-8"))


def main() -> int:
    """Prints violations and unused or surplus exceptions; returns 1 if there are any, else 0."""
    found = list(violations())
    lines = [str(one) for one in found if one.key not in EXCEPTIONS]
    unused = set(EXCEPTIONS) - {one.key for one in found}
    lines += [f".ci/check_sizes.py:1: unused exception, {name}" for name in sorted(unused)]
    if len(EXCEPTIONS) > MOST_EXCEPTIONS:
        lines.append(f".ci/check_sizes.py:1: exceptions, {len(EXCEPTIONS)}, limit {MOST_EXCEPTIONS}")
    for line in lines:
        print(line)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
