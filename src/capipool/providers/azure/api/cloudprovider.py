"""What an AzureCluster changes of the configuration of the Azure cloud provider. Fields and limits are upstream's."""

from __future__ import annotations

from typing import Annotated

import msgspec

from capipool.machinery.objects import Model
from capipool.machinery.schema.limits import Limits
from capipool.providers.azure.api.shared import Quantity

_LIMITED = (
    "defaultRateLimit",
    "routeRateLimit",
    "subnetsRateLimit",
    "interfaceRateLimit",
    "routeTableRateLimit",
    "loadBalancerRateLimit",
    "publicIPAddressRateLimit",
    "securityGroupRateLimit",
    "virtualMachineRateLimit",
    "storageAccountRateLimit",
    "diskRateLimit",
    "snapshotRateLimit",
    "virtualMachineScaleSetRateLimit",
    "virtualMachineSizesRateLimit",
    "availabilitySetRateLimit",
)


class BackOffs(Model):
    """How the cloud provider tries again."""

    cloud_provider_backoff: bool | None = None
    cloud_provider_backoff_duration: int | None = None
    cloud_provider_backoff_exponent: Quantity | None = None
    cloud_provider_backoff_jitter: Quantity | None = None
    cloud_provider_backoff_retries: int | None = None


class RateLimitConfig(Model):
    """How often the cloud provider calls."""

    cloud_provider_rate_limit: bool | None = None
    cloud_provider_rate_limit_bucket: int | None = None
    cloud_provider_rate_limit_bucket_write: int | None = None
    cloud_provider_rate_limit_qps: Quantity | None = msgspec.field(default=None, name="cloudProviderRateLimitQPS")
    cloud_provider_rate_limit_qps_write: Quantity | None = msgspec.field(
        default=None, name="cloudProviderRateLimitQPSWrite"
    )


class RateLimit(Model):
    """A limit on calls about one sort of thing."""

    name: Annotated[str, Limits(enum=_LIMITED)]
    config: RateLimitConfig | None = None


class CloudProviderConfigOverrides(Model):
    """What of the cloud provider's configuration is not as usual."""

    back_offs: BackOffs | None = None
    rate_limits: tuple[RateLimit, ...] = ()
