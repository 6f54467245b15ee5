"""The tables of the apply engine against the server they were taken from."""

import asyncio
import json
from importlib.resources import files

from sandbox.cluster.merge import extract
from sandbox.testcluster import TestCluster


async def test_the_table_of_kinds_is_what_the_real_server_says(real_cluster: TestCluster) -> None:
    """If this fails: python -m sandbox.cluster.merge.extract KUBECONFIG."""
    documents = await asyncio.to_thread(extract.fetched, real_cluster.kubeconfig)
    kept = json.loads(files("sandbox.cluster.merge").joinpath("kinds.json").read_text())
    assert extract.table(documents) == kept
