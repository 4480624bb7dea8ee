"""Things that happen between two steps of a reconcile are not missed."""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable

from capipool.api.builtin import Node
from capipool.api.core import MachinePool
from capipool.machinery.calls import Call, Reply
from capipool.testing import virtual
from tests.server.core_world import CountingTransport, World, ids


class Interrupted(CountingTransport):
    """Lets something happen just before the first patch of a pool's body is carried out."""

    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def call(self, call: Call) -> Reply:
        """Make one call."""
        if call.verb == "patch" and call.resource == MachinePool.RESOURCE and not call.subresource:
            meanwhile, self.meanwhile = self.meanwhile, None
            if meanwhile is not None:
                await meanwhile()
        reply: Reply = await super().call(call)
        return reply


def test_a_node_that_becomes_ready_while_its_instance_is_being_listed_is_noticed() -> None:
    """The pool does not list the instance yet, so the node's event finds no pool: the list's own event must do."""

    async def main() -> None:
        world = World()
        transport = Interrupted(world.server, "")
        world.management_transport = transport

        async def becomes_ready() -> None:
            await world.set_ready("a", "True")
            await asyncio.sleep(0.01)

        await world.server.start()
        await world.install()
        await world.start()
        await world.create_cluster()
        await world.create_pool("other", replicas=0)  # so that the provider's kind is followed already
        await world.provide(ids=ids("a"))
        await world.join("a", ready="False")
        await world.workload.patch(Node, "a", patch={"spec": {"taints": None}})
        await world.settle()
        transport.meanwhile = becomes_ready
        await world.create_pool(replicas=1)
        await world.settle(1)
        assert (await world.pool()).status.phase == "Running"
        await world.stop()
        await world.server.stop()

    virtual.run(main(), limit=dt.timedelta(hours=1))
