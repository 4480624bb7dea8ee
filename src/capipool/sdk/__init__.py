"""What a provider author imports: the interface to implement, the errors to raise, and `setup` to run it.

`docs/provider-sdk.md` is the way in. What is not named here promises nothing.
"""

from capipool.sdk.engine import DeletePolicy, InstanceState, RolloutMode, Strategy
from capipool.sdk.errors import (
    AlreadyThere,
    CloudUnavailable,
    GroupChanged,
    InstanceGroupNotFound,
    InsufficientCapacity,
    InvalidConfiguration,
    Missing,
    NotOwned,
    OperationInProgress,
    PermissionDenied,
    ProviderError,
    QuotaExceeded,
    Throttled,
)
from capipool.sdk.provider import (
    BootstrapData,
    DescribesMachines,
    Group,
    HoldsTerminations,
    Instance,
    InstanceView,
    Intervals,
    Launch,
    Pool,
    PoolProvider,
    ProtectsInstances,
    PushesChanges,
    RollsNatively,
)
from capipool.sdk.report import Report
from capipool.sdk.running import setup

__all__ = [
    "AlreadyThere",
    "BootstrapData",
    "CloudUnavailable",
    "DeletePolicy",
    "DescribesMachines",
    "Group",
    "GroupChanged",
    "HoldsTerminations",
    "Instance",
    "InstanceGroupNotFound",
    "InstanceState",
    "InstanceView",
    "InsufficientCapacity",
    "Intervals",
    "InvalidConfiguration",
    "Launch",
    "Missing",
    "NotOwned",
    "OperationInProgress",
    "PermissionDenied",
    "Pool",
    "PoolProvider",
    "ProtectsInstances",
    "ProviderError",
    "PushesChanges",
    "QuotaExceeded",
    "Report",
    "RolloutMode",
    "RollsNatively",
    "Strategy",
    "Throttled",
    "setup",
]
