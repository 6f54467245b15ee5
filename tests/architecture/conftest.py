"""What is parsed for these tests is not kept for those that come after them."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tests.architecture import tree


@pytest.fixture(scope="package", autouse=True)
def _parsed() -> Iterator[None]:
    yield
    tree.forget()
    gc.collect()
