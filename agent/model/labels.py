"""The labels that say whose an object is and what part it plays: written by rendering, read by every other room."""

from __future__ import annotations

from typing import Final

DOMAIN: Final = "perigee.dev/"
INSTANCE: Final = "perigee.dev/instance"
COMPONENT: Final = "perigee.dev/component"
QUEUE: Final = "perigee.dev/queue"
RETAIN: Final = "perigee.dev/retain"
MANAGED_BY: Final = "app.kubernetes.io/managed-by"

ALLOW_INSTANCES: Final = "perigee.dev/allow-instances"
"""Opens a Secret to a document's ``secretRef``: to one instance by its id, or to ``any``. A label holds one id; further
ones stand in labels whose keys go on after a dot, as in ``perigee.dev/allow-instances.2``.
"""
ANY_INSTANCE: Final = "any"
