"""Random workloads: pod templates with all sorts of lists, under the kinds that carry them.

Replicas are none, schedules suspended and roll-outs paused: no controller has anything to do with them.
"""

from __future__ import annotations

from tests.support.chance import Dice, metadata
from tests.support.kube import Json


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


def stateful_set(dice: Dice) -> Json:
    base = deployment(dice)["spec"]
    claim = {
        "metadata": {"name": "d"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    spec = {name: base[name] for name in ("replicas", "selector", "template")} | dice.some(
        minReadySeconds=(0, 3),
        revisionHistoryLimit=(0, 3),
        updateStrategy=({"type": "OnDelete"}, {"rollingUpdate": {"partition": 1}}, {}),
    )
    spec |= {"serviceName": "s", "volumeClaimTemplates": [claim]}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata(dice), "spec": spec}


def cron_job(dice: Dice) -> Json:
    pod = deployment(dice)["spec"]["template"]
    pod["spec"]["restartPolicy"] = dice.one("Never", "OnFailure")
    job = {"template": pod} | dice.some(backoffLimit=(0, 2), ttlSecondsAfterFinished=0, parallelism=(1, 2))
    spec = {"schedule": dice.one("* * * * *", "1 * * * *"), "jobTemplate": {"spec": job}, "suspend": True} | dice.some(
        concurrencyPolicy="Forbid", successfulJobsHistoryLimit=(0, 1), startingDeadlineSeconds=0, timeZone=("Etc/UTC",)
    )
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata(dice), "spec": spec}
