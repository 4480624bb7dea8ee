"""What admission says to the kinds of EKS. Front door: `rules`. Pure; needs nothing of AWS's library."""

from __future__ import annotations

from capipool.machinery.admission import Rules
from capipool.providers.aws.eks.admission import configs, controlplane, machinepool


def rules() -> list[Rules]:
    """The rules of every kind that has some."""
    return [*controlplane.rules(), *configs.rules(), *machinepool.rules()]
