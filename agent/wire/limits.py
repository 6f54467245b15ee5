"""How large things on the wire may be; a receiver stops reading at the limit. Part of protocol v1: both sides know it.

Without such bounds a peer, or whoever poses as one, could send data without end and exhaust the memory of the other.
"""

from __future__ import annotations

from typing import Final

MAX_DEPTH: Final = 64
"""How deeply objects and arrays may nest."""

MAX_INDEX_BYTES: Final = 1024 * 1024
"""The answer to a poll: an envelope with an index in it."""

MAX_TRUST_BYTES: Final = 256 * 1024
"""An envelope with a trust bundle in it."""

MAX_DOCUMENT_BYTES: Final = 256 * 1024
"""One document."""

MAX_REPORT_BYTES: Final = 1024 * 1024
"""One report, before compression."""

MAX_ENROLMENT_BYTES: Final = 512 * 1024
"""A request to enrol, and the answer to it, which carries a trust bundle."""

MAX_DOCUMENTS_PER_REQUEST: Final = 100
"""How many documents may be asked for at once."""

MAX_DOCUMENTS_REQUEST_BYTES: Final = 64 * 1024
"""A request for many documents."""

MAX_DOCUMENTS_ANSWER_BYTES: Final = 8 * 1024 * 1024
"""An answer with many documents: a server that has more to give gives a part, and is asked again."""

MAX_PROBLEM_BYTES: Final = 64 * 1024
"""The body of an answer that says what went wrong."""

MAX_INSTANCES: Final = 5000
"""How many instances one index may list."""

MAX_AUDIT_RECORDS: Final = 1000
"""How many audit records one report may carry."""

MAX_AUDIT_RECORD: Final = 64 * 1024
"""How many characters one audit record may have."""

MAX_ORDERS: Final = 256
"""How many orders one index may list, and of how many one report may tell."""

MAX_SIGNATURES: Final = 16
"""How many signatures one envelope may carry."""

MAX_WAIT_SECONDS: Final = 60
"""How long a poll may ask the server to wait for news."""
