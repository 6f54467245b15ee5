"""Nothing grows past what one reads in one sitting: modules, functions, signatures, classes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.architecture.tree import PRODUCT, ROOT, Module, modules

MODULE_LINES = 400
MODULE_LINES_WANTED = 300
MODULES_ABOVE_WANTED = 0.05
BODY_STATEMENTS = 25
PARAMETERS = 5
PUBLIC_METHODS = 10
LEVELS = 3
EXCUSE = re.compile(r"# noqa: .*PLR0913\b.* - \w+")
EXCUSED = 5

BLOCKS = (ast.For, ast.AsyncFor, ast.While, ast.If, ast.Try, ast.TryStar, ast.Match)


def statements(body: list[ast.stmt]) -> int:
    """How many statements a body holds, at any depth; its docstring does not count, nested definitions do."""
    documented = bool(body) and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    return sum(isinstance(node, ast.stmt) for stmt in body[documented:] for node in ast.walk(stmt))


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    arguments = function.args
    named = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return [name for name in named if name not in {"self", "cls"}]


def is_command(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a decorator makes it a command: there every parameter is an option that a person types."""
    decorators = (d.func if isinstance(d, ast.Call) else d for d in function.decorator_list)
    return any(isinstance(d, ast.Attribute) and d.attr in {"command", "callback"} for d in decorators)


def depth(node: ast.AST) -> int:
    """How many blocks lie within each other; an elif is no deeper than its if."""
    deepest = 0
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        chained = isinstance(node, ast.If) and [child] == node.orelse and isinstance(child, ast.If)
        step = int(isinstance(child, BLOCKS) and not chained)
        deepest = max(deepest, step + depth(child))
    return deepest


def oversize(module: Module) -> Iterator[str]:
    """Every function and class of a module that is too large, and by how much."""
    for function in module.functions():
        where = f"{module.name}:{function.lineno} {function.name}"
        if (count := statements(function.body)) > BODY_STATEMENTS:
            yield f"{where}: {count} statements, at most {BODY_STATEMENTS}"
        excused = is_command(function) or EXCUSE.search(module.text.splitlines()[function.lineno - 1])
        if len(parameters(function)) > PARAMETERS and not excused:
            yield f"{where}: {len(parameters(function))} parameters; a value type is missing"
        if (levels := depth(function)) > LEVELS:
            yield f"{where}: {levels} blocks within each other, at most {LEVELS}"
    for declared in module.classes():
        methods = [node for node in declared.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        public = [method.name for method in methods if not method.name.startswith("_")]
        if len(public) > PUBLIC_METHODS:
            yield f"{module.name}:{declared.lineno} {declared.name}: {len(public)} public methods"


def test_a_module_is_read_in_one_sitting() -> None:
    lengths = {module.name: module.lines for module in modules(*PRODUCT, "tests", "bench")}
    long = {name: lines for name, lines in lengths.items() if lines > MODULE_LINES}
    assert not long, f"split by reason to change: {long}"


def test_modules_above_the_wanted_size_are_rare() -> None:
    product = modules(*PRODUCT)
    long = [module.name for module in product if module.lines > MODULE_LINES_WANTED]
    assert len(long) <= MODULES_ABOVE_WANTED * len(product), f"too many modules above 300 lines: {long}"


def test_functions_and_classes_are_small() -> None:
    found = [offence for module in modules(*PRODUCT) for offence in oversize(module)]
    assert not found, "\n".join(found)


def test_excuses_for_long_signatures_are_rare() -> None:
    """A command's options are no excuse; anything else with more than five parameters says why, on its line."""
    excused = [
        f"{module.name}:{function.lineno} {function.name}"
        for module in modules(*PRODUCT)
        for function in module.functions()
        if len(parameters(function)) > PARAMETERS and not is_command(function)
    ]
    assert len(excused) <= EXCUSED, excused


def test_the_measure_measures() -> None:
    """The rules above hold nothing if the counting is wrong: one function that breaks every one of them."""
    body = "\n".join(f"    x{number} = {number}" for number in range(BODY_STATEMENTS + 1))
    nested = "".join("    " * (level + 1) + "if a:\n" for level in range(LEVELS + 1)) + "    " * (LEVELS + 2) + "pass"
    text = f"def long(a, b, c, d, e, f):\n    'Docstring.'\n{body}\n\n\ndef deep(a):\n{nested}\n"
    found = list(oversize(Module(ROOT / "planted.py", text, ast.parse(text))))
    assert len(found) == 3, found
