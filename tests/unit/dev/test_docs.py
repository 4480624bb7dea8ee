"""What users can set and order is documented."""

from __future__ import annotations

import pathlib

import msgspec

from capipool.providers.dev.api.cloud import Fault
from capipool.providers.dev.api.machinepool import InMemoryPool, NodeLease, Rollout, Zone

PAGE = (pathlib.Path(__file__).parents[3] / "docs" / "development-cloud.md").read_text()


def test_every_field_of_the_backend_is_on_the_page() -> None:
    fields = [f.encode_name for kind in (InMemoryPool, Rollout, Zone, NodeLease) for f in msgspec.structs.fields(kind)]
    assert [name for name in fields if name not in PAGE] == []


def test_every_fault_is_on_the_page() -> None:
    faults = [value for name, value in vars(Fault).items() if name.isupper()]
    assert [fault for fault in faults if f"`{fault}`" not in PAGE] == []
