"""A Resource Manager with one resource group, and Azure's own libraries talking to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from azure.mgmt.compute.aio import ComputeManagementClient

from capipool.testing import azure
from capipool.testing.azure import Arm, Timing


@pytest.fixture
async def arm() -> AsyncIterator[Arm]:
    async with azure.serve(timing=Timing(retry_after=0.01)) as served:
        yield served


@pytest.fixture
async def compute(arm: Arm) -> AsyncIterator[ComputeManagementClient]:
    options = arm.client_options(keep=True)
    async with ComputeManagementClient(arm.credential(), arm.subscription, polling_interval=0.01, **options) as client:
        yield client
