"""A small Azure Resource Manager on loopback, for tests: scale sets, machines, operations and faults, all in memory.

    async with azure.serve(groups=("rg",)) as arm:
        client = ComputeManagementClient(arm.credential(), arm.subscription, **arm.client_options())

It speaks HTTPS to Azure's own libraries, which need no patching. What it answers, and what it leaves out, is in
docs/azure-server.md. It knows nothing of Cluster API.
"""

from capipool.testing.azure.model.failures import ArmError
from capipool.testing.azure.model.faults import Faults
from capipool.testing.azure.model.machines import Machine, Power, Provisioning
from capipool.testing.azure.model.requests import Request, RequestLog
from capipool.testing.azure.model.scalesets.scaleset import ScaleSet
from capipool.testing.azure.model.skus import Sku
from capipool.testing.azure.model.timing import Timing
from capipool.testing.azure.server import Arm, Options, serve

__all__ = [
    "Arm",
    "ArmError",
    "Faults",
    "Machine",
    "Options",
    "Power",
    "Provisioning",
    "Request",
    "RequestLog",
    "ScaleSet",
    "Sku",
    "Timing",
    "serve",
]
