"""`plan`: observe, then decide. `plan` shows what comes of it, and `apply` carries out the same."""

from __future__ import annotations

from capipool.migrate import plan as plans
from capipool.migrate.observe import Scene, Tell, observe
from capipool.migrate.plan import Plan


async def plan(scene: Scene, tell: Tell = lambda text: None) -> Plan:
    """What a migration would do now, and what stands in its way. Writes nothing."""
    return plans.decide(await observe(scene, tell))
