"""The Pod Security Standard ``restricted``, written down a second time: what of a pod would be refused, and why.

After https://kubernetes.io/docs/concepts/security/pod-security-standards/ (baseline and restricted).
"""

from __future__ import annotations

from collections.abc import Iterator

from agent.model.objects import Manifest

VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip
SECCOMP = {"RuntimeDefault", "Localhost"}
MUST_BE_FALSE = ("hostNetwork", "hostPID", "hostIPC")


def violations(spec: Manifest) -> list[str]:
    """Everything about a pod's spec that ``restricted`` does not allow."""
    return [*_of_pod(spec), *(each for container in _containers(spec) for each in _of_container(spec, container))]


def _containers(spec: Manifest) -> Iterator[Manifest]:
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(kind) or []


def _of_pod(spec: Manifest) -> Iterator[str]:
    for field in MUST_BE_FALSE:
        if spec.get(field):
            yield f"{field} is set"
    for volume in spec.get("volumes") or []:
        for kind in set(volume) - {"name"} - VOLUMES:
            yield f"volume {volume['name']} is a {kind}"
    if spec.get("securityContext", {}).get("sysctls"):
        yield "sysctls are set"


def _of_container(spec: Manifest, container: Manifest) -> Iterator[str]:
    own = container.get("securityContext") or {}
    effective = {**(spec.get("securityContext") or {}), **own}
    capabilities = own.get("capabilities", {})
    claims = {
        "is privileged": own.get("privileged"),
        "may escalate": own.get("allowPrivilegeEscalation") is not False,
        "keeps capabilities": "ALL" not in capabilities.get("drop", []),
        "adds capabilities": set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"},
        "has another procMount": own.get("procMount", "Default") != "Default",
        "may run as root": effective.get("runAsNonRoot") is not True,
        "runs as root": effective.get("runAsUser") == 0,
        "has no seccomp profile": effective.get("seccompProfile", {}).get("type") not in SECCOMP,
        "takes a port of the host": [port for port in container.get("ports") or [] if "hostPort" in port],
    }
    yield from (f"{container['name']} {claim}" for claim, holds in claims.items() if holds)
