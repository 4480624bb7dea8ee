"""Rules on values that the kinds' versions share."""

from __future__ import annotations

from typing import Annotated

from capipool.api.shared import Str256
from capipool.machinery.schema.limits import Limits, Rule

_GUID = "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"

PartitionType = Annotated[
    str,
    Limits(
        min_length=1,
        max_length=36,
        rules=(
            Rule(
                rule=f"self.matches('^(Linux|LinuxSwap|LinuxRAID|LVM|Fat32|NTFS|LinuxExtended|{_GUID})$')",
                message="partitionType must be Linux, LinuxSwap, LinuxRAID, LVM, Fat32, NTFS, LinuxExtended or a GUID",
            ),
        ),
    ),
]
"""What a partition is for, by name or by its GPT type GUID."""

ONE_LAYOUT = Rule(
    rule="[has(self.layout),has(self.diskLayout)].filter(x,x==true).size() == 1",
    message="exactly one of layout and diskLayout must be set",
)
UNIQUE_ARGUMENTS = Rule(
    rule="self.all(x, self.exists_one(y, x.name == y.name))",
    message="an argument may be given once only",
)

_NUMBER = r"(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
Quantity = Annotated[
    int | str,
    Limits(pattern=rf"^(\+|-)?{_NUMBER}(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?{_NUMBER}))?$"),
]
"""A Kubernetes quantity: `100m`, `2Gi`, `5`."""

EncryptionAlgorithm = Annotated[str, Limits(enum=("ECDSA-P256", "ECDSA-P384", "RSA-2048", "RSA-3072", "RSA-4096"))]
Names = Annotated[tuple[Str256, ...], Limits(min_items=1, max_items=100, list_type="atomic")]
