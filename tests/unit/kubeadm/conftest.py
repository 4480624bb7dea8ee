"""What several tests of the kubeadm provider stand on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.kubeadm.cloud_init import CloudInit


@pytest.fixture(scope="session")
def cloud_init() -> Iterator[CloudInit]:
    judge = CloudInit()
    yield judge
    judge.close()
