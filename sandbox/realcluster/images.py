"""OCI image archives written without a container engine: root folders in, an archive that `ctr images import` takes
out.

Here: the archive (https://github.com/opencontainers/image-spec, image-layout) and the pause image that every pod
needs. Equal input gives equal bytes: entries are sorted, owners numeric, times zero. Not here: importing it (`node`).
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import struct
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MEDIA = "application/vnd.oci.image"
PAUSE = "localhost/perigee-pause:1"


@dataclass(frozen=True, slots=True)
class Image:
    """What an archive shall hold: `reference` (`localhost/name:tag`), the root folders of its layers, lowest first,
    and the `config` of the image specification (`Entrypoint`, `Env`, `User`, ...).
    """

    reference: str
    layers: Sequence[Path]
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Blob:
    """A file of the archive, named by its digest."""

    path: Path
    media_type: str
    digest: str

    @property
    def descriptor(self) -> dict[str, Any]:
        return {"mediaType": self.media_type, "digest": f"sha256:{self.digest}", "size": self.path.stat().st_size}


def write_image(archive: Path, image: Image) -> None:
    """Write an image for this machine's processor into `archive`. Blocks: a layer of a gigabyte takes seconds."""
    with tempfile.TemporaryDirectory(prefix="perigee-image-", dir=archive.parent) as folder:
        room = Path(folder)
        layers = [_layer(root, room / f"layer-{number}") for number, root in enumerate(image.layers)]
        config = _document(_image_config(image, layers), f"{MEDIA}.config.v1+json", room / "config")
        manifest = _document(_manifest(config, layers), f"{MEDIA}.manifest.v1+json", room / "manifest")
        names = {"io.containerd.image.name": image.reference, "org.opencontainers.image.ref.name": image.reference}
        index = {"schemaVersion": 2, "manifests": [{**manifest.descriptor, "annotations": names}]}
        with tarfile.open(archive, "w") as tar:
            _add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
            _add(tar, "index.json", json.dumps(index).encode())
            # Two layers may be equal; the archive then holds them once.
            for digest, blob in {blob.digest: blob for blob in (config, manifest, *layers)}.items():
                tar.add(blob.path, f"blobs/sha256/{digest}", filter=_anonymous)


def write_pause_image(archive: Path) -> None:
    """The image of the container that holds a pod's namespaces and does nothing else."""
    with tempfile.TemporaryDirectory(prefix="perigee-pause-", dir=archive.parent) as folder:
        program = Path(folder) / "pause"
        program.write_bytes(pause_program(processor()))
        program.chmod(0o755)
        write_image(archive, Image(PAUSE, [Path(folder)], {"Entrypoint": ["/pause"], "User": "65535:65535"}))


def processor() -> str:
    """This machine's processor in Go's words; KeyError on one that has no pause program here."""
    return {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]


def pause_program(architecture: str) -> bytes:
    """A static ELF program that waits for ever: a header, one segment, one system call in a loop.

    Written as bytes because a compiler is not at hand everywhere and this is all that it would produce. amd64 calls
    pause(2); arm64 has no such call and polls nothing without a time limit (ppoll(2)).
    """
    code = {
        # mov eax, 34; syscall; jmp back
        "amd64": bytes.fromhex("b8220000000f05ebf7"),
        # mov x0..x4, 0; mov x8, 73; svc 0; b back
        "arm64": struct.pack(
            "<8I", 0xD2800000, 0xD2800001, 0xD2800002, 0xD2800003, 0xD2800004, 0xD2800928, 0xD4000001, 0x17FFFFF9
        ),
    }[architecture]
    machine = {"amd64": 62, "arm64": 183}[architecture]
    base, header, segment = 0x400000, 64, 56
    entry, size = base + header + segment, header + segment + len(code)
    identity = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    elf = struct.pack("<16sHHIQQQIHHHHHH", identity, 2, machine, 1, entry, header, 0, 0, header, segment, 1, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000)
    return elf + load + code


def _image_config(image: Image, layers: Sequence[_Blob]) -> dict[str, Any]:
    return {
        "architecture": processor(),
        "os": "linux",
        "config": dict(image.config),
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.digest}" for layer in layers]},
    }


def _manifest(config: _Blob, layers: Sequence[_Blob]) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": f"{MEDIA}.manifest.v1+json",
        "config": config.descriptor,
        "layers": [layer.descriptor for layer in layers],
    }


def _layer(root: Path, path: Path) -> _Blob:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        # Sorted, and by add() one by one: its own recursion follows the order of the file system.
        for entry in sorted(root.rglob("*")):
            tar.add(entry, entry.relative_to(root).as_posix(), recursive=False, filter=_timeless)
    return _Blob(path, f"{MEDIA}.layer.v1.tar", _digest(path))


def _document(content: dict[str, Any], media_type: str, path: Path) -> _Blob:
    path.write_text(json.dumps(content), encoding="utf-8")
    return _Blob(path, media_type, _digest(path))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _timeless(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.mode = 0o644
    return _timeless(entry)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))
