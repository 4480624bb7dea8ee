"""What moto leaves out of single instances, closed for tests: the groups of an interface that were changed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

from moto.backends import get_backend
from moto.ec2.models.elastic_network_interfaces import NetworkInterface, NetworkInterfaceBackend

from tests.server.aws.cloud import ACCOUNT, REGION


@contextlib.contextmanager
def closed() -> Iterator[None]:
    """Moto without these gaps, for as long as the context is open."""
    modify = NetworkInterfaceBackend.modify_network_interface_attribute
    property_: Any = NetworkInterface.group_set

    def remembering(self: Any, eni_id: str, group_ids: list[str], *more: Any, **named: Any) -> Any:
        answer = modify(self, eni_id, group_ids, *more, **named)
        self.get_network_interface(eni_id).changed = bool(group_ids)
        return answer

    def group_set(self: Any) -> Any:
        """Those of the instance's launch count no more once they were changed."""
        return self._group_set if getattr(self, "changed", False) else property_.fget(self)

    with (
        mock.patch.object(NetworkInterfaceBackend, "modify_network_interface_attribute", remembering),
        mock.patch.object(NetworkInterface, "group_set", property(group_set)),
    ):
        yield


def forget_terminated() -> None:
    """As EC2 does an hour after their end."""
    for reservation in get_backend("ec2")[ACCOUNT][REGION].reservations.values():
        reservation.instances[:] = [i for i in reservation.instances if i.state != "terminated"]
