"""Image archives follow the OCI layout, are the same for the same input, and the pause program does run."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from sandbox.realcluster.images import Image, pause_program, processor, write_image, write_pause_image


def content(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        members = [(member, tar.extractfile(member)) for member in tar.getmembers()]
        return {member.name: file.read() for member, file in members if file is not None}


def blob(archive: Path, descriptor: dict[str, Any]) -> bytes:
    found = content(archive)[f"blobs/sha256/{descriptor['digest'].removeprefix('sha256:')}"]
    assert len(found) == descriptor["size"]
    assert f"sha256:{hashlib.sha256(found).hexdigest()}" == descriptor["digest"]
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "bin").mkdir(parents=True)
    (tmp_path / "root" / "bin" / "tool").write_text("x", encoding="utf-8")
    (tmp_path / "root" / "link").symlink_to("bin/tool")
    return tmp_path / "root"


def test_an_archive_leads_from_the_index_to_every_layer(root: Path, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    write_image(archive, Image("localhost/a:1", [root], {"Entrypoint": ["/bin/tool"]}))
    assert json.loads(content(archive)["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    (listed,) = json.loads(content(archive)["index.json"])["manifests"]
    assert listed["annotations"]["io.containerd.image.name"] == "localhost/a:1"
    manifest = json.loads(blob(archive, listed))
    config = json.loads(blob(archive, manifest["config"]))
    (layer,) = manifest["layers"]
    assert config["rootfs"]["diff_ids"] == [layer["digest"]]
    assert config["config"] == {"Entrypoint": ["/bin/tool"]}
    (tmp_path / "layer.tar").write_bytes(blob(archive, layer))
    with tarfile.open(tmp_path / "layer.tar") as tar:
        assert tar.getnames() == ["bin", "bin/tool", "link"]


def test_the_same_input_gives_the_same_bytes(root: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        os.utime(root / "bin" / "tool", (len(name), hash(name) % 1000))
        write_image(tmp_path / name, Image("localhost/a:1", [root]))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_equal_layers_are_stored_once(root: Path, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    write_image(archive, Image("localhost/a:1", [root, root]))
    # Layout, index, configuration, manifest and the one layer.
    assert len(content(archive)) == 5


def test_the_pause_image_holds_the_program_for_this_processor(tmp_path: Path) -> None:
    archive = tmp_path / "pause.tar"
    write_pause_image(archive)
    assert any(pause_program(processor()) in found for found in content(archive).values())


def test_the_pause_program_waits_until_it_is_told_to_end(tmp_path: Path) -> None:
    program = tmp_path / "pause"
    program.write_bytes(pause_program(processor()))
    program.chmod(0o755)
    with subprocess.Popen([program]) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.1)
        process.terminate()
        assert process.wait(5) == -signal.SIGTERM


@pytest.mark.parametrize(("architecture", "machine"), [("amd64", 62), ("arm64", 183)])
def test_the_pause_program_is_an_elf_file_of_its_processor(architecture: str, machine: int) -> None:
    program = pause_program(architecture)
    assert program[:4] == b"\x7fELF"
    assert int.from_bytes(program[18:20], "little") == machine
    assert len(program) == 64 + 56 + {"amd64": 9, "arm64": 32}[architecture]
