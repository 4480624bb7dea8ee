"""Every kind of ours, with its rules and conversions: what the embedded server serves and manifests install."""

from __future__ import annotations

from collections.abc import Mapping

from capipool.api import converters as api_converters
from capipool.api import crds as api_crds
from capipool.api import rules as api_rules
from capipool.api.conversion.references import Versions
from capipool.machinery.admission import Converter, Rules
from capipool.machinery.objects import Raw
from capipool.providers.dev import kinds as dev
from capipool.providers.kubeadm import kinds as kubeadm


def crds() -> list[Raw]:
    """The definition of every kind."""
    return [*api_crds.crds(), *kubeadm.crds(), *dev.crds()]


def rules(gates: Mapping[str, bool]) -> list[Rules]:
    """What admission does, under these feature gates."""
    return [*api_rules.all_rules(gates), *kubeadm.rules(), *dev.rules()]


def converters(versions: Versions) -> list[Converter]:
    """How versions become each other. `versions` says which version of a provider's kind the cluster serves."""
    return [*api_converters.all_converters(versions), *kubeadm.converters()]
