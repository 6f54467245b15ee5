"""The allocator is asked where there is one to ask, and nowhere else does anything break."""

from __future__ import annotations

import asyncio
import platform
import sys

import pytest

from agent.wiring.memory import keep_little

PROBE = """
from agent.wiring.memory import keep_little

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

keep_little()
before = resident()
pieces = [b"x" * (100_000 + number) for number in range(500)]
keepers = [b"x" * (600 + number) for number in range(2000)]
held = resident()
del pieces
print(held - before > 40_000_000, resident() - before < 10_000_000)
"""


def test_it_says_whether_there_is_a_glibc() -> None:
    assert keep_little() is (platform.libc_ver()[0] == "glibc")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is asked")
async def test_large_pieces_that_are_freed_leave_the_process() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PROBE, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert out.decode().split() == ["True", "True"]
