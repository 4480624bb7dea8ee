"""The provider of AWS keeps the contract, against moto over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from capipool.testing.conformance import ProviderConformance
from tests.server.aws.lab import AWSLab, laboratory


class TestAWS(ProviderConformance):
    @pytest.fixture
    async def lab(self) -> AsyncIterator[AWSLab]:
        async with laboratory() as made:
            yield made
