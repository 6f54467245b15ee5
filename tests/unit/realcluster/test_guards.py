"""The guards of every test do fail what they guard against: proven on small suites of their own, in another pytest."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# The other pytest has to start and import everything anew.
pytestmark = pytest.mark.timeout(60)

LEAKS = """
import asyncio
async def test_it():
    asyncio.get_running_loop().create_task(asyncio.Event().wait(), name="forgotten")
"""
BLOCKS = """
from sandbox.realcluster.supervision import tail
async def test_it(tmp_path):
    (tmp_path / "log").write_text("line")
    tail(tmp_path / "log")
"""
READS_BY_ITSELF = """
async def test_it(tmp_path):
    (tmp_path / "log").write_text("line")
    assert (tmp_path / "log").read_text() == "line"
"""
NEEDS_A_CLUSTER = """
async def test_it(real_cluster):
    assert real_cluster.server
"""


async def run(suite: str, folder: Path, **variables: str) -> str:
    (folder / "test_it.py").write_text(suite, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "pytest", f"--config-file={ROOT / 'pyproject.toml'}", f"--rootdir={folder}", "-q", "--no-header"),
        *("-p", "tests.support.guards", "-p", "tests.support.clusters", "-p", "no:cacheprovider", str(folder)),
        cwd=ROOT,
        env={"PATH": "", "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1", **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return said.decode()


async def test_a_task_left_behind_fails_its_test(tmp_path: Path) -> None:
    assert "left behind: forgotten" in await run(LEAKS, tmp_path)


async def test_a_blocking_call_of_the_product_fails_its_test(tmp_path: Path) -> None:
    assert "BlockingError: Blocking call to" in await run(BLOCKS, tmp_path)


async def test_a_test_may_read_a_file_itself(tmp_path: Path) -> None:
    assert "1 passed" in await run(READS_BY_ITSELF, tmp_path)


async def test_what_cannot_run_is_skipped_and_named_at_the_end(tmp_path: Path) -> None:
    said = await run(NEEDS_A_CLUSTER, tmp_path)
    assert "1 skipped" in said
    assert "did not run" in said
    assert "test_it.py: 1 test\nThe real test cluster lacks etcd" in said


async def test_what_cannot_run_fails_where_ci_promises_it(tmp_path: Path) -> None:
    said = await run(NEEDS_A_CLUSTER, tmp_path, CI="true")
    assert "1 error" in said
    assert "a suite that cannot run is a failure" in said
