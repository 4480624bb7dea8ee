"""Boots for the tests of renderers, and how cloud-init and nodeadm would read what they render."""

from __future__ import annotations

import email
import email.policy
from typing import Any

import yaml

from capipool.machinery.objects import Raw
from capipool.providers.aws.eks.rendering.boot import Boot, ClusterFacts, File

CLUSTER = ClusterFacts(
    name="prod",
    endpoint="https://ABC.gr7.us-east-1.eks.amazonaws.com",
    authority="LS0tLS1CRUdJTg==",
    service_cidr="10.100.0.0/16",
)


def boot(spec: Raw | None = None, *files: File, users: tuple[Raw, ...] = ()) -> Boot:
    return Boot(cluster=CLUSTER, spec=spec or {}, files=files, users=users)


class Parts:
    """User data of several parts, read back."""

    def __init__(self, data: bytes) -> None:
        message = email.message_from_bytes(data, policy=email.policy.compat32)
        assert message.get_content_type() == "multipart/mixed"
        payload: Any = message.get_payload()
        self.content = [(part.get_content_type(), part.get_payload(decode=True)) for part in payload]
        self.defects = [*message.defects, *(d for part in payload for d in part.defects)]

    def of(self, type_: str) -> str:
        """The one part of a type."""
        (found,) = [content for kind, content in self.content if kind == type_]
        return str(found.decode())

    @property
    def node_config(self) -> Any:
        return yaml.safe_load(self.of("application/node.eks.aws"))["spec"]

    @property
    def cloud_config(self) -> Any:
        text = self.of("text/cloud-config")
        assert text.startswith("#cloud-config\n")
        return yaml.safe_load(text)


def cloud_config(data: bytes) -> Any:
    """A cloud-config, read back."""
    assert data.startswith(b"#cloud-config\n")
    return yaml.safe_load(data)
