"""What AKS offers at the moment, to all clusters."""

from __future__ import annotations

NODE_IMAGE = "AKSUbuntu-2204gen2containerd-202411.12.0"
VERSIONS = ("1.29.9", "1.30.6", "1.31.2", "1.32.0", "1.33.1")
"""Kubernetes versions that a new emulator offers, the oldest first."""


class Offer:
    """What AKS offers at the moment. Tests publish newer images by setting `node_image`."""

    def __init__(self) -> None:
        self.versions = list(VERSIONS)
        self.node_image = NODE_IMAGE
