"""The labels that say whose an object is and what part it plays: written by rendering, read by every other room."""

from __future__ import annotations

from typing import Final

DOMAIN: Final = "perigee.dev/"
INSTANCE: Final = "perigee.dev/instance"
COMPONENT: Final = "perigee.dev/component"
QUEUE: Final = "perigee.dev/queue"
RETAIN: Final = "perigee.dev/retain"
