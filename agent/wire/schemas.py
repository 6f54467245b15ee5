"""The JSON Schemas of protocol v1 and of the guard: what a sender may send. A receiver of the protocol ignores fields
that it does not know.

``python -m agent.wire.schemas DIRECTORY`` writes one file per kind, always the same bytes for the same models.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from agent.wire.document import AirflowInstanceV1
from agent.wire.documents import DocumentsAnswerV1, DocumentsRequestV1
from agent.wire.enrolment import EnrolRequestV1, EnrolResponseV1
from agent.wire.envelope import EnvelopeV1
from agent.wire.frames import Frame
from agent.wire.guard import GuardV1
from agent.wire.index import IndexV1
from agent.wire.problems import ProblemV1
from agent.wire.renewal import RenewRequestV1, RenewResponseV1
from agent.wire.reports import ReportV1
from agent.wire.trust import TrustBundleV1

KINDS: Final[Mapping[str, type[Frame]]] = {
    "airflow-instance.v1": AirflowInstanceV1,
    "documents-answer.v1": DocumentsAnswerV1,
    "documents-request.v1": DocumentsRequestV1,
    "enrol-request.v1": EnrolRequestV1,
    "enrol-response.v1": EnrolResponseV1,
    "envelope.v1": EnvelopeV1,
    "guard.v1": GuardV1,
    "index.v1": IndexV1,
    "problem.v1": ProblemV1,
    "renew-request.v1": RenewRequestV1,
    "renew-response.v1": RenewResponseV1,
    "report.v1": ReportV1,
    "trust.v1": TrustBundleV1,
}
"""Each kind by the name of its file, without the ending."""


class _Schemas(GenerateJsonSchema):
    """Pydantic's schemas without its made-up titles, and with maps that allow no key of another shape."""

    def field_title_should_be_set(self, _schema: Any) -> bool:
        return False

    def dict_schema(self, schema: core_schema.DictSchema) -> dict[str, Any]:
        described = super().dict_schema(schema)
        if "patternProperties" in described:
            described["additionalProperties"] = False
        return described


def schemas() -> dict[str, bytes]:
    """The file of each kind, by its name."""
    return {f"{name}.schema.json": _file(name, kind) for name, kind in KINDS.items()}


def write(directory: Path) -> None:
    """Write every schema into the directory, which is made where it is missing."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in schemas().items():
        (directory / name).write_bytes(content)


def _file(name: str, kind: type[Frame]) -> bytes:
    described = kind.model_json_schema(by_alias=True, schema_generator=_Schemas)
    if "schema" in described["properties"]:  # our constructors fill it in; on the wire it must be said
        described["required"] = ["schema", *described["required"]]
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://perigee.dev/schema/{name}.schema.json",
        **described,
    }
    return (json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
