"""The tests. Each takes a fresh `lab`; together they are the contract of `sdk.PoolProvider`."""

from __future__ import annotations

import pytest

from capipool.sdk import GroupChanged, InstanceGroupNotFound, InstanceState
from capipool.testing.conformance.lab import Lab, live


class ProviderConformance:
    """Subclass it, name the subclass `Test...`, and give it a fixture `lab`."""

    async def test_a_group_that_is_not_there_is_reported_as_not_found(self, lab: Lab) -> None:
        """The reconciler creates it then."""
        with pytest.raises(InstanceGroupNotFound):
            await lab.provider.observe(lab.pool())

    async def test_a_group_is_created_with_the_instances_asked_for(self, lab: Lab) -> None:
        """Instances have distinct ids and provider IDs, and the revision that they were launched from."""
        group = await lab.created(lab.pool(), replicas=3)
        assert group.desired == 3
        assert group.revision == "r1"
        assert len({i.id for i in group.instances}) == len({i.provider_id for i in group.instances}) == 3
        assert {i.revision for i in group.instances} == {"r1"}
        assert all("://" in i.provider_id for i in group.instances)

    async def test_instances_come_to_run(self, lab: Lab) -> None:
        """What boots is seen to have booted."""
        pool = lab.pool()
        await lab.created(pool, replicas=2)
        await lab.until(pool, lambda g: all(i.state is InstanceState.RUNNING for i in g.instances))

    async def test_the_desired_number_shows_as_soon_as_creation_returns(self, lab: Lab) -> None:
        """A provider reads its own writes."""
        pool = lab.pool()
        await lab.provider.ensure(pool, lab.launch(), replicas=2, seen=None)
        assert (await lab.provider.observe(pool)).desired == 2

    async def test_a_group_may_have_no_instances(self, lab: Lab) -> None:
        """Zero is a number like others."""
        group = await lab.created(lab.pool(), replicas=0)
        assert (group.desired, group.instances) == (0, ())

    async def test_ensuring_again_changes_nothing(self, lab: Lab) -> None:
        """It is called at each reconcile."""
        pool = lab.pool()
        before = await lab.created(pool, replicas=3)
        await lab.provider.ensure(pool, lab.launch(), replicas=3, seen=before)
        after = await lab.provider.observe(pool)
        assert set(live(after)) == set(live(before))
        assert after.desired == 3

    async def test_ensuring_never_changes_the_number_of_a_group_that_exists(self, lab: Lab) -> None:
        """Only `set_desired` and `terminate` do: a victim must be named."""
        pool = lab.pool()
        before = await lab.created(pool, replicas=3)
        await lab.provider.ensure(pool, lab.launch(), replicas=1, seen=before)
        assert (await lab.provider.observe(pool)).desired == 3

    async def test_a_new_revision_leaves_the_instances_there_are_alone(self, lab: Lab) -> None:
        """Replacing them is the engine's business; what is launched from now on is new."""
        pool = lab.pool()
        before = await lab.created(pool, replicas=2)
        await lab.provider.ensure(pool, lab.launch("r2"), replicas=2, seen=before)
        group = await lab.provider.observe(pool)
        assert group.revision == "r2"
        assert set(live(group)) == set(live(before))
        await lab.provider.set_desired(pool, 3, seen=group)
        grown = await lab.until(pool, lambda g: len(live(g)) == 3)
        assert {i.revision for i in grown.instances if i.id not in live(before)} == {"r2"}
        assert {i.revision for i in grown.instances if i.id in live(before)} == {"r1"}

    async def test_a_fresh_token_replaces_nothing(self, lab: Lab) -> None:
        """The revision stays, and so do the instances."""
        pool = lab.pool()
        before = await lab.created(pool, replicas=2)
        await lab.provider.ensure(pool, lab.launch("r1", token="second"), replicas=2, seen=before)
        after = await lab.provider.observe(pool)
        assert after.revision == "r1"
        assert set(live(after)) == set(live(before))

    async def test_a_group_grows_to_the_number_it_is_set_to(self, lab: Lab) -> None:
        """And setting the same number again launches nothing more."""
        pool = lab.pool()
        before = await lab.created(pool, replicas=1)
        await lab.provider.set_desired(pool, 4, seen=before)
        assert (await lab.provider.observe(pool)).desired == 4
        grown = await lab.until(pool, lambda g: len(live(g)) == 4)
        await lab.provider.set_desired(pool, 4, seen=grown)
        await lab.pause()
        assert set(live(await lab.provider.observe(pool))) == set(live(grown))

    async def test_a_number_below_what_is_there_is_refused(self, lab: Lab) -> None:
        """The cloud must never choose a victim."""
        pool = lab.pool()
        before = await lab.created(pool, replicas=3)
        with pytest.raises(GroupChanged):
            await lab.provider.set_desired(pool, 1, seen=before)
        after = await lab.provider.observe(pool)
        assert after.desired == 3
        assert set(live(after)) == set(live(before))

    async def test_exactly_the_named_instances_are_terminated_and_the_number_falls(self, lab: Lab) -> None:
        """Terminate with decrement is how a pool shrinks."""
        pool = lab.pool()
        victim, *others = live(await lab.created(pool, replicas=3))
        await lab.provider.terminate(pool, [victim], decrement=True)
        after = await lab.provider.observe(pool)
        assert after.desired == 2
        assert victim not in live(after)
        gone = await lab.until(pool, lambda g: victim not in {i.id for i in g.instances})
        assert set(live(gone)) == set(others)

    async def test_terminating_again_lowers_the_number_no_further(self, lab: Lab) -> None:
        """A reconciler that died before it noted the answer asks again."""
        pool = lab.pool()
        victim, *others = live(await lab.created(pool, replicas=3))
        await lab.provider.terminate(pool, [victim], decrement=True)
        await lab.provider.terminate(pool, [victim], decrement=True)
        await lab.until(pool, lambda g: victim not in {i.id for i in g.instances})
        await lab.provider.terminate(pool, [victim], decrement=True)
        after = await lab.provider.observe(pool)
        assert after.desired == 2
        assert set(live(after)) == set(others)

    async def test_without_decrement_the_cloud_launches_another(self, lab: Lab) -> None:
        """How instances are replaced where somebody else owns the number."""
        pool = lab.pool()
        victim, *_ = before = live(await lab.created(pool, replicas=2))
        await lab.provider.terminate(pool, [victim], decrement=False)
        after = await lab.until(pool, lambda g: victim not in live(g) and len(live(g)) == 2)
        assert after.desired == 2
        assert set(live(after)) != set(before)

    async def test_terminating_an_instance_nobody_knows_does_nothing(self, lab: Lab) -> None:
        """It is gone already, as far as anyone can tell."""
        pool = lab.pool()
        before = await lab.created(pool, replicas=2)
        await lab.provider.terminate(pool, ["no-such-instance"], decrement=True)
        after = await lab.provider.observe(pool)
        assert after.desired == 2
        assert set(live(after)) == set(live(before))

    async def test_pools_do_not_touch_each_other(self, lab: Lab) -> None:
        """Neither by name nor by instance."""
        first, second = lab.pool("first"), lab.pool("second")
        kept = live(await lab.created(first, replicas=2))
        others = live(await lab.created(second, replicas=1))
        assert not set(kept) & set(others)
        await lab.provider.terminate(second, kept, decrement=True)
        await _delete(lab, second)
        after = await lab.provider.observe(first)
        assert after.desired == 2
        assert set(live(after)) == set(kept)

    async def test_deleting_ends_with_not_found_and_may_be_repeated(self, lab: Lab) -> None:
        """Nothing is left, and to say so again is no failure."""
        pool = lab.pool()
        await lab.created(pool, replicas=2)
        await _delete(lab, pool)
        with pytest.raises(InstanceGroupNotFound):
            await lab.provider.delete(pool.object)
        with pytest.raises(InstanceGroupNotFound):
            await lab.provider.observe(pool)

    async def test_deleting_what_never_was_is_done_at_once(self, lab: Lab) -> None:
        """A pool may be deleted before its group was made."""
        with pytest.raises(InstanceGroupNotFound):
            await lab.provider.delete(lab.pool().object)

    async def test_calls_on_a_group_that_is_gone_say_so(self, lab: Lab) -> None:
        """With the typed error, whatever the cloud itself answers."""
        pool = lab.pool()
        seen = await lab.created(pool, replicas=1)
        await _delete(lab, pool)
        with pytest.raises(InstanceGroupNotFound):
            await lab.provider.set_desired(pool, 2, seen=seen)
        with pytest.raises(InstanceGroupNotFound):
            await lab.provider.terminate(pool, live(seen), decrement=True)

    async def test_a_group_can_be_made_again_after_deletion(self, lab: Lab) -> None:
        """Under the same name, with new instances."""
        pool = lab.pool()
        before = live(await lab.created(pool, replicas=1))
        await _delete(lab, pool)
        again = live(await lab.created(pool, replicas=1))
        assert again
        assert set(again) != set(before)

    async def test_launch_content_and_strategy_are_pure(self, lab: Lab) -> None:
        """The same spec gives the same answer, and asking touches nothing."""
        pool = lab.pool()
        assert lab.provider.launch_content(pool) == lab.provider.launch_content(pool)
        assert lab.provider.strategy(pool) == lab.provider.strategy(pool)
        with pytest.raises(InstanceGroupNotFound):
            await lab.provider.observe(pool)


async def _delete(lab: Lab, pool: object) -> None:
    """Delete until the provider says that nothing is left."""
    for _ in range(max(int(lab.patience_seconds / 0.02), 1)):
        try:
            await lab.provider.delete(pool.object)  # type: ignore[attr-defined]
        except InstanceGroupNotFound:
            return
        await lab.pause()
    raise AssertionError("the group is still there")
