"""Parts that several kinds of the development provider have in common, as upstream has them."""

from __future__ import annotations

from typing import Annotated

from capipool.api.shared import V1Beta1Condition
from capipool.machinery.objects import Model
from capipool.machinery.schema.limits import Limits

GROUP = "infrastructure.cluster.x-k8s.io"

DURATION = r"^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$|^0$"


class Provisioning(Model):
    """How long something takes to start: a duration, and by which share of it at most it takes longer."""

    startup_duration: str
    """As Go writes durations: `500ms`, `1m30s`."""
    startup_jitter: str = ""
    """A decimal number as text: `0.5` makes it up to half as long again, by chance."""


class Startup(Model):
    """When something that is simulated is there."""

    provisioning: Provisioning | None = None


class Mount(Model):
    """A mount of upstream's Docker backend; accepted, not acted on."""

    container_path: str = ""
    host_path: str = ""
    read_only: bool | None = None


class MachineAddress(Model):
    """An address of a machine."""

    type: Annotated[str, Limits(enum=("Hostname", "ExternalIP", "InternalIP", "ExternalDNS", "InternalDNS"))]
    address: Annotated[str, Limits(min_length=1, max_length=256)]


class V1Beta1Status(Model):
    """What v1beta1 showed."""

    conditions: tuple[V1Beta1Condition, ...] = ()


class DeprecatedStatus(Model):
    """What older versions showed."""

    v1beta1: V1Beta1Status = V1Beta1Status()


class Initialization(Model):
    """What happens once."""

    provisioned: bool | None = None
