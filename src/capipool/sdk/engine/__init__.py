"""The pool engine: which instances to create, drain and terminate. Pure: from a frozen picture to a frozen plan.

Called by `sdk.reconciler` and by `capipool plan`. Knows no cloud, no API and no clock.
"""

from capipool.sdk.engine.decide import decide
from capipool.sdk.engine.picture import Deletion, InstanceState, Member, NodeHealth, Picture
from capipool.sdk.engine.plan import Cause, Plan, Removal, Wait
from capipool.sdk.engine.strategy import DeletePolicy, RolloutMode, Strategy

__all__ = [
    "Cause",
    "DeletePolicy",
    "Deletion",
    "InstanceState",
    "Member",
    "NodeHealth",
    "Picture",
    "Plan",
    "Removal",
    "RolloutMode",
    "Strategy",
    "Wait",
    "decide",
]
