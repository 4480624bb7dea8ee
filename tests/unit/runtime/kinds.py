"""Two small kinds for tests of the runtime."""

from __future__ import annotations

from capipool.machinery.objects import Model, Object, Raw
from capipool.machinery.resource import Resource


class PoolSpec(Model):
    replicas: int = 0
    zone: str = ""


class PoolStatus(Model):
    ready: int = 0


class Pool(Object):
    RESOURCE = Resource("test.example.com", "v1", "Pool", "pools")

    spec: PoolSpec = PoolSpec()
    status: PoolStatus = PoolStatus()


class Machine(Object):
    RESOURCE = Resource("test.example.com", "v1", "Machine", "machines", namespaced=False)

    spec: PoolSpec = PoolSpec()


def pool(name: str, namespace: str = "ns", *, replicas: int = 0, zone: str = "", **meta: object) -> Raw:
    return {"metadata": {"name": name, "namespace": namespace, **meta}, "spec": {"replicas": replicas, "zone": zone}}
