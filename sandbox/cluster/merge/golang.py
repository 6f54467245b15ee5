"""Making `golang.json`: what Go's encoder leaves out and always writes, which OpenAPI does not say.

Here: `table`, a pure function of Go sources, and `python -m sandbox.cluster.merge.golang FOLDER...`, which reads the
modules k8s.io/api, k8s.io/apimachinery and k8s.io/apiextensions-apiserver and writes the file. Not here: reading the
table (`shapes`), all that a server itself can be asked (`extract`).

A plain scalar with `omitempty` disappears when it is zero: an environment variable set to "" comes back without a
value. A pointer to the same scalar stays. In OpenAPI both look alike.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_STRUCT: Final = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_NAMED_SCALAR: Final = re.compile(r"^type (\w+) (string|bool|int32|int64|int)$", re.MULTILINE)
_FIELD: Final = re.compile(r'^\s+(?:(\w+)\s+)?([*\[\]\w.]+)\s+`json:"([^"]*)"', re.MULTILINE)
_SCALARS: Final = frozenset({"string", "bool", "int", "int32", "int64", "uint32", "float64"})
# Types that encode their zero as null, `omitempty` or not.
_TIMES: Final = frozenset({"Time", "MicroTime"})


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    of: str
    omits: bool
    inline: bool


def table(sources: Iterable[tuple[str, str]]) -> dict[str, dict[str, list[str]]]:
    """For each type the fields that vanish when zero (`dropsZero`) and those always written (`always`).

    Args:
        sources: the prefix of a package's types, for example `apps.v1`, and the text of one of its files.
    """
    known = list(sources)
    structs = {
        f"{prefix}.{name}": list(_fields(body)) for prefix, text in known for name, body in _STRUCT.findall(text)
    }
    scalars = _SCALARS | {name for _, text in known for name, _ in _NAMED_SCALAR.findall(text)}
    result = {name: _entry(name, structs, scalars) for name in structs}
    return {name: entry for name, entry in sorted(result.items()) if entry}


def _fields(body: str) -> Iterator[_Field]:
    for _, of, tag in _FIELD.findall(body):
        name, *options = tag.split(",")
        yield _Field(name, of, "omitempty" in options or "omitzero" in options, inline=not name)


def _entry(name: str, structs: Mapping[str, list[_Field]], scalars: frozenset[str]) -> dict[str, list[str]]:
    fields = list(_flat(name, structs))
    drops = sorted(field.name for field in fields if field.omits and _last(field.of) in scalars and _is_plain(field.of))
    always = sorted(field.name for field in fields if _is_always_written(field))
    return {key: names for key, names in (("dropsZero", drops), ("always", always)) if names}


def _flat(name: str, structs: Mapping[str, list[_Field]]) -> Iterator[_Field]:
    """The fields of a struct and of the structs embedded in it."""
    for field in structs.get(name, ()):
        if field.inline:
            yield from _flat(f"{name.rpartition('.')[0]}.{_last(field.of)}", structs)
        else:
            yield field


def _is_plain(of: str) -> bool:
    return not of.startswith(("*", "[]", "map["))


def _is_always_written(field: _Field) -> bool:
    if not _is_plain(field.of):
        return not field.omits
    return _last(field.of) in _TIMES and field.name != "creationTimestamp"


def _last(of: str) -> str:
    return of.lstrip("*").rpartition(".")[2]


def sources(folders: Iterable[Path]) -> Iterator[tuple[str, str]]:
    """The types that the packages under these folders declare, as `table` wants them."""
    for folder in folders:
        for path in sorted(folder.rglob("types*.go")):
            yield ".".join(path.parts[-3:-1]), path.read_text()


def needed(found: Mapping[str, object], kinds: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    """Of a table the types that the table of kinds refers to."""
    return {name: entry for name, entry in found.items() if name in kinds["types"]}


def written(found: Mapping[str, object]) -> str:
    """The table as it stands in the file: a line for each type."""
    return "{\n" + ",\n".join(f" {json.dumps(name)}: {json.dumps(entry)}" for name, entry in found.items()) + "\n}\n"


if __name__ == "__main__":
    here = Path(__file__).parent
    found = table(sources(Path(folder) for folder in sys.argv[1:]))
    (here / "golang.json").write_text(written(needed(found, json.loads((here / "kinds.json").read_text()))))
