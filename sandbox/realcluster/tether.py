"""Becomes another program that dies together with the process that asked for it.

Run as a script: `python tether.py PARENT_PID PROGRAM ARGS...`. Here: asking the kernel (Linux, prctl(2)
PR_SET_PDEATHSIG) to kill this process when its parent is gone, then exec. A test that is killed hard thus leaves no
API server behind. It is a script and not a preexec function: Python runs those between fork and exec, which is unsafe
(and warned about) once there are threads. On other systems it only execs.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Tie this process to its parent and become `arguments[1:]`."""
    parent, program = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) was refused")
        # It may have died before we asked: then nobody would tell us any more.
        if os.getppid() != parent:
            sys.exit(1)
    os.execv(program[0], program)  # noqa: S606 - becoming that program is the point


if __name__ == "__main__":
    main(sys.argv[1:])
