"""The conformance kit: what the pool engine relies on, as tests that any provider runs.

Make a subclass in a test module, and give it a fixture `lab`:

    from capipool.testing.conformance import ProviderConformance

    class TestMyCloud(ProviderConformance):
        @pytest.fixture
        async def lab(self):
            yield MyLab(...)

A provider that implements `sdk.DescribesMachines` runs `MachinesConformance` in the same way.

The tests run against whatever the lab's provider talks to: a fake cloud, an emulator, or a real account.
"""

from capipool.testing.conformance.lab import Lab
from capipool.testing.conformance.machines import MachinesConformance
from capipool.testing.conformance.suite import ProviderConformance

__all__ = ["Lab", "MachinesConformance", "ProviderConformance"]
