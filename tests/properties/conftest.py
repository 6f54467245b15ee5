"""How properties are tried: many examples, and no deadline for one of them, since machines are shared."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("perigee", deadline=None, max_examples=200, print_blob=True)
settings.load_profile("perigee")
