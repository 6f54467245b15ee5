"""A machine made of namespaces, in which the programs of a node run: run as a script, `python machine.py
SPECIFICATION`.

Here: mount, network, process, host name and IPC namespaces of its own; the link to the host; an init process that
starts the programs and ends when one of them does. When this script ends, however it ends, the kernel kills every
process of the machine, containers too, and with them go mounts, interfaces, addresses and iptables rules: nothing is
left to be cleaned but the control groups. Not here: what runs (`node` writes the specification, JSON). Nothing but
the standard library is to be had here.
"""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET = (1 << bit for bit in (17, 26, 27, 29, 30))
MS_BIND, MS_MOVE, MS_REC, MS_PRIVATE, MS_SHARED = (1 << bit for bit in (12, 13, 14, 18, 20))
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1

CGROUPS = Path("/sys/fs/cgroup")
HIDDEN = ("/run", "/tmp", "/var/lib", "/var/log")  # noqa: S108 - covered, not used
"""Folders of the host that the machine does not see and does not litter: it has empty ones."""
KERNEL_SETTINGS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
"""The kubelet sets these for the whole machine; here it sets copies that only it sees."""
STEP_SECONDS = 0.05
STEPS_TO_SERVE = 600
TAIL_BYTES = 2000

libc = ctypes.CDLL(None, use_errno=True)


def main(specification: dict[str, Any]) -> None:
    """Become the machine; ends with the code of its init process, 0 when it was told to end."""
    home, cgroup = Path(specification["home"]), specification["cgroup"]
    _sweep_cgroups(home.parent)
    attach_link = _link_mover(specification["move_link"])
    _check(libc.unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET))
    attach_link()
    _arrange_mounts([Path(kept) for kept in specification["keep"]])
    volumes, provisioned = specification["volumes"]
    Path(provisioned).mkdir()
    _mount(volumes, provisioned, flags=MS_BIND)
    socket.sethostname(specification["hostname"])
    for command in specification["setup"]:
        subprocess.run(command, check=True)
    _make_cgroups(cgroup)
    # Last, since the first process that starts afterwards is the init process.
    _check(libc.unshare(CLONE_NEWPID))
    init = os.fork()
    if init == 0:
        _check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
        _run_init(specification["programs"], Path(volumes))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.kill(init, signal.SIGKILL))
    _, status = os.waitpid(init, 0)
    # The kernel reports its end only when all its processes are gone: their control groups are empty now.
    for group in _cgroups(cgroup):
        _remove_cgroup(group)
    sys.exit(0 if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status))


def _link_mover(command: list[str]) -> Callable[[], None]:
    """Fork a process that stays in the host's network; calling the result lets it move the link to where we are
    then.
    """
    owner, (wait, go) = os.getpid(), os.pipe()
    mover = os.fork()
    if mover == 0:
        os.close(go)
        os.read(wait, 1)
        os.execv(command[0], [*command, str(owner)])  # noqa: S606 - written by `node`
    os.close(wait)

    def move() -> None:
        os.write(go, b".")
        os.close(go)
        _, status = os.waitpid(mover, 0)
        if status != 0:
            sys.exit(f"the link could not be moved to the node: {' '.join(command)}")

    return move


def _arrange_mounts(kept: list[Path]) -> None:
    """Cover the hidden folders, so that only what is `kept` of them shows, and forget the host's mounts in them."""
    _mount("none", "/", flags=MS_REC | MS_PRIVATE)
    for point in _mount_points():
        # Held here, another cluster's mounts would outlive their owner.
        if point.startswith(tuple(f"{folder}/" for folder in HIDDEN)) and Path(point) not in kept:
            libc.umount2(point.encode(), MNT_DETACH)
    _mount("none", "/mnt", kind="tmpfs")
    aside = [Path(f"/mnt/{number}") for number in range(len(kept))]
    for path, place in zip(kept, aside, strict=True):
        place.mkdir()
        _mount(str(path), str(place), flags=MS_BIND | MS_REC)
    for folder in HIDDEN:
        _mount("none", folder, kind="tmpfs")
    for path, place in zip(kept, aside, strict=True):
        path.mkdir(parents=True, exist_ok=True)
        _mount(str(place), str(path), flags=MS_MOVE)
    # Among the machine's own programs mounts do spread: containers may ask for that.
    _mount("none", "/", flags=MS_REC | MS_SHARED)


def _mount_points() -> list[str]:
    """Where things are mounted, deepest first."""
    lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    return sorted((line.split()[1].encode().decode("unicode_escape") for line in lines), key=len, reverse=True)


def _run_init(programs: list[dict[str, Any]], volumes: Path) -> NoReturn:
    """Be process 1: start the programs in their order, bury the orphans, end when a program does."""
    _mount("proc", "/proc", kind="proc")
    _copy_kernel_settings()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    running: dict[int, dict[str, Any]] = {}
    for program in programs:
        _await_path(program["after"], running)
        running[_start(program)] = program
    opened: set[str] = set()
    while True:
        signal.sigtimedwait({signal.SIGCHLD}, STEP_SECONDS)
        _bury(running)
        _open_volumes(volumes, opened)


def _open_volumes(volumes: Path, opened: set[str]) -> None:
    """Let every user into new volumes: the provisioner makes them for root alone, and containers are not root."""
    for folder in volumes.iterdir():
        if folder.name not in opened:
            folder.chmod(0o777)
            opened.add(folder.name)


def _start(program: dict[str, Any]) -> int:
    output = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        program["argv"][0],
        program["argv"],
        os.environ,  # noqa: TID251 - a child's environment is its parent's
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, program["log"], output, 0o600), (os.POSIX_SPAWN_DUP2, 1, 2)],
        # Blocked here for sigwait; a program that inherits that never hears of its children.
        setsigmask=(),
    )


def _await_path(path: str, running: dict[int, dict[str, Any]]) -> None:
    """Wait for a socket that an earlier program makes."""
    for _ in range(STEPS_TO_SERVE):
        if not path or Path(path).exists():
            return
        signal.sigtimedwait({signal.SIGCHLD}, STEP_SECONDS)
        _bury(running)
    sys.exit(f"{path} did not appear")


def _bury(running: dict[int, dict[str, Any]]) -> None:
    """Take the end of every child that ended; if it was a program, say so and end the machine."""
    for pid, status in _ended():
        if pid in running:
            name, log = running[pid]["name"], Path(running[pid]["log"])
            last = log.read_bytes()[-TAIL_BYTES:].decode(errors="replace")
            sys.exit(f"{name} ended with status {os.waitstatus_to_exitcode(status)}. Its last lines:\n{last}")


def _ended() -> Iterator[tuple[int, int]]:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, status


def _copy_kernel_settings() -> None:
    for setting in KERNEL_SETTINGS:
        original = Path("/proc/sys") / setting
        if original.exists():
            copy = Path("/run/settings") / setting
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(original.read_bytes())
            _mount(str(copy), str(original), flags=MS_BIND)
    # This one belongs to the machine's network alone.
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1", encoding="ascii")


def _hierarchies() -> list[Path]:
    """One in cgroup v2; in v1 one for each controller."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    return [folder for folder in CGROUPS.iterdir() if folder.is_dir() and not folder.is_symlink()]


def _cgroups(name: str) -> list[Path]:
    return [hierarchy / name for hierarchy in _hierarchies() if (hierarchy / name).is_dir()]


def _make_cgroups(name: str) -> None:
    for hierarchy in _hierarchies():
        group = hierarchy / name
        group.mkdir()
        controllers = group / "cgroup.controllers"
        if controllers.exists():
            enabled = " ".join(f"+{controller}" for controller in controllers.read_text(encoding="ascii").split())
            (group / "cgroup.subtree_control").write_text(enabled, encoding="ascii")


def _sweep_cgroups(homes: Path) -> None:
    """Remove the control groups of machines that were killed hard: their folder is gone."""
    for hierarchy in _hierarchies():
        for group in hierarchy.glob("perigee-cluster-*"):
            if not (homes / group.name).exists():
                _remove_cgroup(group)


def _remove_cgroup(group: Path) -> None:
    for folder, _, _ in os.walk(group, topdown=False):
        Path(folder).rmdir()


def _mount(source: str, target: str, *, kind: str = "none", flags: int = 0) -> None:
    _check(libc.mount(source.encode(), target.encode(), kind.encode(), flags, None), what=f"mount {source} {target}")


def _check(result: int, *, what: str = "a system call") -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
