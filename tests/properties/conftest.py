"""How properties are tried: many examples, and no deadline for one of them, since machines are shared."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("perigee", deadline=None, max_examples=200, print_blob=True)
settings.load_profile("perigee")
# Named on the command line, it is loaded after this: for the tests of test_fuzz, of which each has its share.
settings.register_profile("fuzz", deadline=None, max_examples=2_000, print_blob=True)
