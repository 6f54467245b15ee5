"""Names say what a thing is, and a module opens by telling which room it is."""

from __future__ import annotations

import ast
import re
from pathlib import PurePosixPath

from tests.architecture.tree import PRODUCT, ROOT, Module, modules

MEANINGLESS = {"common", "data", "helper", "helpers", "info", "manager", "misc", "shared", "stuff", "util", "utils"}
VAGUE_CLASS = re.compile(r"(Manager|Helper|Util|Utils|Handler\d|Info|Data)$")
VAGUE_FUNCTION = re.compile(r"^(handle|do_\w+|\w+\d)$")
# The words of a protocol keep their own spelling: digests and curves have numbers in their names.
FIELD_WORDS = re.compile(r"(sha256|x509|x25519|ed25519|base64|pkcs\d+|http2|v1)$")
OPENING_WORDS = 5


def vague_places(module: Module) -> list[str]:
    """The folder and module names that could hold anything, or that only count their neighbours."""
    parts = PurePosixPath(module.name).with_suffix("").parts
    words = {word for part in parts for word in part.strip("_").removeprefix("test_").split("_")}
    return [*(words & MEANINGLESS), *re.findall(r"^\w*[a-z]\d$", parts[-1])]


def vague_definitions(module: Module) -> list[str]:
    """The classes and functions whose names do not say what they are."""
    functions = (function.name for function in module.functions())
    return [
        *(declared.name for declared in module.classes() if VAGUE_CLASS.search(declared.name)),
        *(name for name in functions if VAGUE_FUNCTION.match(name) and not FIELD_WORDS.search(name)),
    ]


def test_no_place_is_named_after_nothing() -> None:
    found = {module.name: vague_places(module) for module in modules(*PRODUCT, "tests", "bench")}
    assert not {name: words for name, words in found.items() if words}


def test_classes_and_functions_have_names_of_the_field() -> None:
    found = {module.name: vague_definitions(module) for module in modules(*PRODUCT)}
    assert not {name: words for name, words in found.items() if words}


def test_a_module_opens_by_telling_what_happens_here() -> None:
    openings = {module.name: ast.get_docstring(module.tree) or "" for module in modules(*PRODUCT, "bench")}
    assert not {name: opening for name, opening in openings.items() if len(opening.split()) < OPENING_WORDS}


def test_vague_names_are_found() -> None:
    text = "class PodManager: ...\ndef handle(): ...\ndef do_it(): ...\ndef apply2(): ...\ndef sha256(): ...\n"
    module = Module(ROOT / "agent/utils/plan2.py", text, ast.parse(text))
    assert vague_places(module) == ["utils", "plan2"]
    assert vague_definitions(module) == ["PodManager", "handle", "do_it", "apply2"]
