"""Which changes elsewhere have a KubeadmConfig looked at again, and which do not."""

from __future__ import annotations

import msgspec
import pytest

from capipool.machinery import objects
from capipool.machinery.resource import ObjectKey
from capipool.providers.kubeadm import reconciler
from capipool.providers.kubeadm.api.v1beta2.kubeadmconfig import KubeadmConfigStatus
from tests.unit.kubeadm import worlds

KEY = [ObjectKey("default", "workers")]


def test_a_pool_concerns_its_configuration_when_it_appears_and_when_its_first_node_does() -> None:
    empty, one, many = (worlds.pool(nodes=n) for n in (0, 1, 50))
    assert list(reconciler.pool_changed(None, empty)) == KEY
    assert list(reconciler.pool_changed(empty, one)) == KEY
    assert list(reconciler.pool_changed(one, many)) == []
    assert list(reconciler.pool_changed(many, None)) == KEY


def test_a_pools_version_concerns_its_configuration_but_its_counters_do_not() -> None:
    pool = worlds.pool()
    assert list(reconciler.pool_changed(pool, worlds.pool(version="v1.35.0"))) == KEY
    counted = objects.replace(pool, status=msgspec.structs.replace(pool.status, replicas=7, ready_replicas=3))
    assert list(reconciler.pool_changed(pool, counted)) == []


def test_a_machine_concerns_its_configuration_when_it_joins() -> None:
    waiting, joined = worlds.machine(), worlds.machine(joined=True)
    assert list(reconciler.machine_changed(waiting, joined)) == KEY
    phased = objects.replace(joined, status=msgspec.structs.replace(joined.status, phase="Running"))
    assert list(reconciler.machine_changed(joined, phased)) == []


def test_what_boots_from_something_else_concerns_nobody_here() -> None:
    pool = worlds.pool()
    other = msgspec.structs.replace(pool.spec.template.spec.bootstrap, config_ref=None, data_secret_name="x")
    spec = msgspec.structs.replace(pool.spec.template.spec, bootstrap=other)
    template = msgspec.structs.replace(pool.spec.template, spec=spec)
    plain = objects.replace(pool, spec=msgspec.structs.replace(pool.spec, template=template))
    assert list(reconciler.pool_changed(None, plain)) == []


@pytest.mark.parametrize("change", [{"spec": {"verbosity": 1}}, {"annotations": {"a": "b"}}])
def test_its_own_status_does_not_concern_a_configuration_but_all_else_does(change: dict[str, object]) -> None:
    before = worlds.config()
    status = objects.replace(before, status=KubeadmConfigStatus(data_secret_name="x"))
    assert list(reconciler.config_changed(before, status)) == []
    after = worlds.config(**change)  # type: ignore[arg-type]
    assert list(reconciler.config_changed(before, after)) == KEY
