"""Every kind of ours, with its rules and conversions: what the embedded server serves and manifests install."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from capipool.api import converters as api_converters
from capipool.api import crds as api_crds
from capipool.api import rules as api_rules
from capipool.api.conversion.references import Versions
from capipool.app import providers
from capipool.machinery.admission import Converter, Rules
from capipool.machinery.objects import Raw


class _Room(Protocol):
    """A provider's `kinds` module."""

    def crds(self) -> list[Raw]: ...

    def rules(self) -> list[Rules]: ...


def crds(chosen: Iterable[str] = providers.ALL) -> list[Raw]:
    """The definition of every kind, of these providers."""
    return [*api_crds.crds(), *(crd for name in chosen for crd in _room(name).crds())]


def rules(gates: Mapping[str, bool], chosen: Iterable[str] = providers.ALL) -> list[Rules]:
    """What admission does, under these feature gates."""
    return [*api_rules.all_rules(gates), *(of for name in chosen for of in _room(name).rules())]


def converters(versions: Versions, chosen: Iterable[str] = providers.ALL) -> list[Converter]:
    """How versions become each other. `versions` says which version of a provider's kind the cluster serves."""
    from capipool.providers.kubeadm import kinds as kubeadm

    return [*api_converters.all_converters(versions), *(kubeadm.converters() if "kubeadm" in chosen else ())]


def _room(name: str) -> _Room:
    """Imported when it is asked for: who runs one provider does not pay for all."""
    match name:
        case "kubeadm":
            from capipool.providers.kubeadm import kinds as kubeadm

            return kubeadm
        case "dev":
            from capipool.providers.dev import kinds as dev

            return dev
        case "aws":
            from capipool.providers.aws import kinds as aws

            return aws
        case _:
            from capipool.providers.azure import kinds as azure

            return azure
