"""What instances are launched from, and where."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from capipool.providers.dev import launching
from capipool.providers.dev.api.machinepool import Zone
from capipool.providers.dev.cloud import place
from capipool.sdk import BootstrapData

CLOUD_CONFIG = b"""#cloud-config
write_files:
- path: /run/kubeadm/kubeadm-join-config.yaml
  content: |
    apiVersion: kubeadm.k8s.io/v1beta4
    kind: JoinConfiguration
    nodeRegistration:
      kubeletExtraArgs:
      - name: node-labels
        value: a=1,example.com/b=2
      taints:
      - key: gpu
        value: "yes"
        effect: NoSchedule
"""


def test_nodes_register_with_the_labels_and_taints_of_their_bootstrap_data() -> None:
    labels, taints = launching.registration(BootstrapData(CLOUD_CONFIG))
    assert labels == {"a": "1", "example.com/b": "2"}
    assert [(t.key, t.value, t.effect) for t in taints] == [("gpu", "yes", "NoSchedule")]


def test_the_map_form_of_older_kubeadm_is_read_too() -> None:
    data = CLOUD_CONFIG.replace(b"      - name: node-labels\n        value: ", b"        node-labels: ")
    assert launching.registration(BootstrapData(data))[0] == {"a": "1", "example.com/b": "2"}


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xfe", b"nodeRegistration: [", b"- nodeRegistration", b"x: nodeRegistration"]
)
def test_data_of_another_sort_gives_no_labels(data: bytes) -> None:
    assert launching.registration(BootstrapData(data)) == ({}, ())


def test_bootstrap_data_does_not_show_itself() -> None:
    assert "secret" not in repr(BootstrapData(b"secret"))


def test_instances_go_to_the_emptiest_zone_with_room() -> None:
    zones = [Zone(name="a"), Zone(name="b", capacity=1), Zone(name="c")]
    placed = place(zones, Counter(a=2), 6, random.Random(1))
    assert Counter(placed) == Counter(a=1, b=1, c=4) or Counter(placed) == Counter(a=2, b=1, c=3)
    assert Counter(placed)["b"] == 1


def test_where_no_zone_has_room_fewer_are_placed() -> None:
    assert place([Zone(name="a", capacity=2)], Counter(a=1), 5, random.Random(1)) == ["a"]
    assert place([Zone(name="a", capacity=0)], Counter(), 1, random.Random(1)) == []
