"""Which names the API server takes, and how it makes one from ``generateName``.

Here: apimachinery's ``api/validation`` and ``util/validation`` as far as metadata goes. Not here: names within specs.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from itertools import count

from sandbox.cluster.errors import Cause
from sandbox.cluster.kinds import NAMESPACE, SERVICE, Json, Kind

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    rf"'{_LABEL}(\.{_LABEL})*')"
)
_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    f"an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
)
_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_KEY_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_LONGEST_VALUE = 63
_RBAC = "rbac.authorization.k8s.io"
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_GENERATED_PREFIX_LENGTH = 58


def generated(prefix: str, is_taken: Callable[[str], bool]) -> str:
    """Return a name that begins with ``prefix``, as ``generateName`` asks for, and that is not taken."""
    made = (prefix[:_GENERATED_PREFIX_LENGTH] + "".join(random.choices(_ALPHABET, k=5)) for _ in count())
    return next(name for name in made if not is_taken(name))


def naming_faults(kind: Kind, metadata: Json) -> Iterator[Cause]:
    """Yield what is wrong with an object's name and labels."""
    name = metadata.get("name", "")
    if not name:
        yield Cause.required("metadata.name", "name or generateName is required")
    elif kind.group == _RBAC:
        if "/" in name:
            yield Cause.invalid("metadata.name", name, "may not contain '/'")
    else:
        yield from _dns_faults(name, is_label=kind in {NAMESPACE, SERVICE})
    for key, value in sorted((metadata.get("labels") or {}).items()):
        if not re.fullmatch(_QUALIFIED, key.rpartition("/")[2]):
            yield Cause.invalid("metadata.labels", key, _KEY_RULE)
        if value and not re.fullmatch(_QUALIFIED, value):
            yield Cause.invalid("metadata.labels", value, _VALUE_RULE)
        if len(value) > _LONGEST_VALUE:
            yield Cause.invalid("metadata.labels", value, f"must be no more than {_LONGEST_VALUE} bytes")


def _dns_faults(name: str, *, is_label: bool) -> Iterator[Cause]:
    pattern, rule, longest = (_LABEL, _LABEL_RULE, 63) if is_label else (_SUBDOMAIN, _SUBDOMAIN_RULE, 253)
    if not re.fullmatch(pattern, name):
        dotted = is_label and re.fullmatch(_SUBDOMAIN, name)
        yield Cause.invalid("metadata.name", name, "must not contain dots" if dotted else rule)
    if len(name) > longest:
        yield Cause.invalid("metadata.name", name, f"must be no more than {longest} characters")
