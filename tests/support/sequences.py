"""Random but repeatable sequences of writes to one object: what to say to two clusters to see whether they differ.

Here: documents of three kinds with all sorts of lists, and steps of several managers. Not here: saying them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.support.kube import Json

MANAGERS = ("ann", "bob", "clara")
VERBS = ("apply", "apply", "apply", "apply", "put", "merge", "strategic")


@dataclass(frozen=True, slots=True)
class Step:
    """One write: who does what with which document, and whether an apply is forced."""

    verb: str
    manager: str
    document: Json
    force: bool


def steps(seed: int, count: int) -> Iterator[Step]:
    """The writes of one sequence to an object of its own, the first of them an apply or a create."""
    dice = Dice(Random(seed))
    make = DOCUMENTS[seed % len(DOCUMENTS)]
    for number in range(count):
        verb = dice.one("apply", "create") if number == 0 else dice.one(*VERBS)
        document = make(dice)
        document["metadata"]["name"] = f"subject-{seed}"
        yield Step(verb, dice.one(*MANAGERS), document, force=dice.one(True, False))


class Dice:
    """Choices out of one stream of chance."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def one(self, *choices: Any) -> Any:
        """One of the choices."""
        return self._random.choice(choices)

    def some(self, **choices: Any) -> Json:
        """Some of the fields; a function is called for its value, a tuple stands for one of its members."""
        result = {}
        for name, choice in choices.items():
            if self._random.random() < 0.55:
                result[name] = (
                    choice() if callable(choice) else self.one(*choice) if isinstance(choice, tuple) else choice
                )
        return result

    def several(self, names: Sequence[Any], make: Callable[[Any], Any], *, least: int = 0) -> list[Any]:
        """Items for some of the names, in any order."""
        count = self._random.randint(least, len(names))
        return [make(name) for name in self._random.sample(list(names), count)]


def metadata(dice: Dice) -> Json:
    return dice.some(
        labels=lambda: dice.some(app="web", x=("1", "2"), y=("1", "2")),
        annotations=lambda: dice.some(a=("1", "2"), b=("1", "2")),
        finalizers=lambda: dice.several(["test.invalid/a", "test.invalid/b", "test.invalid/c"], str),
    )


def config_map(dice: Dice) -> Json:
    content = dice.some(data=lambda: dice.some(a="1", b=("1", "2"), c=("", "2", None)), binaryData={"z": "AAAA"})
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(dice)} | content


def service(dice: Dice) -> Json:
    def port(number: int) -> Json:
        protocol = {"protocol": "UDP"} if number == 53 else dice.some(protocol="TCP")
        return {"port": number, "name": f"n{number}"} | protocol | dice.some(targetPort=(number, "http"))

    spec = {"ports": dice.several([53, 80, 81], port, least=1)} | dice.some(
        selector=lambda: dice.some(a="1", b=("1", "2")),
        sessionAffinity="None",
        publishNotReadyAddresses=(True, False),
        type="ClusterIP",
    )
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata(dice), "spec": spec}


def variable(dice: Dice, name: str) -> Json:
    if name == "C":
        return {"name": name, "valueFrom": {"secretKeyRef": {"name": "s", "key": dice.one("k", "l")}}}
    return {"name": name, "value": dice.one("1", "2", "")}


def container(dice: Dice, name: str) -> Json:
    return {"name": name, "image": dice.one("i:1", "i:2")} | dice.some(
        env=lambda: dice.several("ABC", lambda letter: variable(dice, letter)),
        ports=lambda: dice.several(
            [80, 8080], lambda port: {"containerPort": port} | dice.some(protocol=("TCP", "UDP"))
        ),
        resources=lambda: dice.some(
            requests=lambda: dice.some(cpu=("1", "1000m"), memory="1Gi"),
            limits=lambda: dice.some(cpu="2", memory="1024Mi"),
        ),
        args=lambda: dice.several("xyz", str),
        imagePullPolicy=("Always", "Never"),
        securityContext=lambda: dice.some(runAsUser=(0, 1), privileged=False, capabilities={"drop": ["ALL"]}),
        livenessProbe=lambda: {"httpGet": {"path": "/", "port": dice.one(80, "http")}} | dice.some(periodSeconds=5),
        volumeMounts=lambda: dice.several(
            "uv",
            lambda letter: {"name": "v", "mountPath": f"/{letter}"} | dice.some(readOnly=(True, False), subPath=""),
        ),
        tty=(True, False),
        workingDir=("", "/x"),
    )


def deployment(dice: Dice) -> Json:
    pod = {
        "containers": dice.several("abc", lambda name: container(dice, name), least=1),
        "volumes": [{"name": "v", "emptyDir": {}}],
    } | dice.some(
        nodeSelector=lambda: dice.some(a="1", b=("1", "2")),
        tolerations=lambda: dice.several("ab", lambda key: {"key": key, "operator": "Exists"}),
        terminationGracePeriodSeconds=(0, 5),
        hostNetwork=False,
        serviceAccountName=("x", ""),
        securityContext=lambda: dice.some(runAsUser=5, fsGroup=(0, 1)),
        imagePullSecrets=lambda: dice.several("pq", lambda name: {"name": name}),
    )
    spec = {
        "paused": True,
        "replicas": 0,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"} | dice.some(z="1")}, "spec": pod},
    } | dice.some(
        minReadySeconds=(0, 3),
        revisionHistoryLimit=(0, 3),
        strategy=({"type": "RollingUpdate"}, {"rollingUpdate": {"maxSurge": 1}}, {}),
    )
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata(dice), "spec": spec}


DOCUMENTS: tuple[Callable[[Dice], Json], ...] = (deployment, service, config_map)
