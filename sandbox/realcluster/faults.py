"""The ways in which a test cluster fails to come up. Each message says what to do next."""

from __future__ import annotations


class TestClusterError(Exception):
    """The test cluster is not to be had; the message is one for people."""


class ProgramsMissing(TestClusterError):
    """Programs of Kubernetes were found nowhere. `names` lists them."""

    def __init__(self, names: tuple[str, ...], remedy: str) -> None:
        super().__init__(f"The real test cluster lacks {', '.join(names)}: {remedy}")
        self.names = names


class BuildFailed(TestClusterError):
    """The Go compiler refused; the message carries its last lines."""


class ProgramDied(TestClusterError):
    """A program of the cluster ended although it should serve. The message carries its last log lines."""

    def __init__(self, program: str, code: int | None, tail: str) -> None:
        super().__init__(f"{program} ended with code {code} instead of serving. Its last lines:\n{tail}")
        self.program = program
        self.code = code


class NotServing(TestClusterError):
    """A step of the start took longer than its bound, while every program was alive."""
