"""One request to the API server, decoded as far as every verb needs it.

Here: what was asked (method, path, query, body, who asks) and how bodies become documents. Not here: aiohttp, answers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import yaml

from sandbox.cluster import errors
from sandbox.cluster.api import Write
from sandbox.cluster.forms import Form, form_for
from sandbox.cluster.kinds import Json
from sandbox.cluster.routes import Target

_DOCUMENTS = ("application/json", "application/yaml")


class _Loader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it: what looks like a time stays text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: a status code and a body; ``named`` is the name that a create settled on, for the audit."""

    code: int
    body: bytes
    content_type: str = "application/json"
    named: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """A request on a resource. ``agent`` is its User-Agent."""

    method: str
    target: Target
    query: Mapping[str, str]
    body: bytes
    content_type: str
    accept: str
    agent: str

    def form(self, moment: datetime) -> Form:
        """Return the form in which the caller wants to see objects."""
        return form_for(self.accept, self.target.kind, moment)

    def flag(self, name: str) -> bool:
        """Return a boolean of the query."""
        return self.query.get(name, "").lower() in {"true", "1"}

    def write(self) -> Write:
        """Return who writes and how; without a ``fieldManager`` the program's name stands for it."""
        manager = self.query.get("fieldManager") or self.agent.partition("/")[0]
        return Write(manager, self.target.subresource, dry_run="dryRun" in self.query, force=self.flag("force"))

    def document(self) -> Json:
        """Return the object in the body, addressed as the path says.

        Raises:
            ApiError: 400, when the body is no object of the kind, name and namespace in the path; 415 for its format.
        """
        if self.content_type not in _DOCUMENTS:
            raise errors.unsupported((*_DOCUMENTS, "application/vnd.kubernetes.protobuf"))
        document: Json = self.decoded()
        with errors.shaped(self.target.kind):
            self._require_kind(document)
            document["metadata"] = self.addressed(document.get("metadata") or {})
        return document

    def intent(self) -> Json:
        """Return the object in the body of an apply as it was sent.

        Raises:
            ApiError: 400, when it has another name or namespace than the path.
        """
        intent: Json = self.decoded()
        with errors.shaped(self.target.kind):
            self.addressed(intent.get("metadata") or {})
        return intent

    def decoded(self) -> Any:
        """Return the body as JSON or, where the content type says so, as YAML.

        Raises:
            ApiError: 400, when it is neither.
        """
        try:
            if "yaml" in self.content_type:
                return yaml.load(self.body, _Loader)  # noqa: S506 - a safe loader without timestamps
            return json.loads(self.body)
        except (ValueError, yaml.YAMLError) as fault:
            raise errors.bad_request(f"the body of the request cannot be decoded: {fault}") from fault

    def addressed(self, metadata: Json) -> Json:
        """Return metadata with the name and namespace of the path.

        Raises:
            ApiError: 400, when it has others.
        """
        target = self.target
        given = {key: value for key, value in (("name", target.name), ("namespace", target.namespace)) if value}
        metadata = given | {
            key: value for key, value in metadata.items() if value not in (None, "") or key not in given
        }
        if target.kind.namespaced and metadata["namespace"] != target.namespace:
            raise errors.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        if target.name and metadata["name"] != target.name:
            message = f"the name of the object ({metadata['name']}) does not match the name on the URL ({target.name})"
            raise errors.bad_request(message)
        return metadata

    def _require_kind(self, document: Json) -> None:
        kind = self.target.kind
        wanted = ("Scale", "autoscaling/v1") if self.target.subresource == "scale" else (kind.name, kind.api_version)
        sent = (document.setdefault("kind", wanted[0]), document.setdefault("apiVersion", wanted[1]))
        if sent != wanted:
            raise errors.bad_request(f'{sent[0]} in version "{sent[1]}" cannot be handled as a {wanted[0]}')
