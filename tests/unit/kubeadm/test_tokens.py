"""The schedule of bootstrap tokens, on virtual time: no clock, no sleep, a month in a moment."""

from __future__ import annotations

import datetime as dt
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capipool.providers.kubeadm import tokens
from capipool.providers.kubeadm.tokens import Carry, Mint, Prolong, Rest, Token

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
TTL = dt.timedelta(minutes=15)
MINUTE = dt.timedelta(minutes=1)


def token(id_: str = "aaaaaa", *, left: dt.timedelta = TTL, now: dt.datetime = NOW) -> Token:
    return Token(id=id_, secret="0" * 16, expires=now + left, description=tokens.DESCRIPTION)


def decide(*known: Token, carried: str = "aaaaaa", pool: bool = True, joined: bool = True) -> tokens.Schedule:
    return tokens.decide(now=NOW, ttl=TTL, pool=pool, joined=joined, carried=carried, tokens=known)


def test_first_data_gets_a_new_token() -> None:
    assert decide(carried="", joined=False).step == Mint()


def test_a_pools_token_is_kept_for_half_its_life_and_then_replaced() -> None:
    fresh = token(left=TTL / 2 + MINUTE)
    assert decide(fresh).step == Carry(fresh)
    assert decide(fresh).again == MINUTE
    assert decide(token(left=TTL / 2)).step == Mint()


def test_the_predecessor_lives_on_until_it_expires() -> None:
    new, old = token("bbbbbb"), token("aaaaaa", left=TTL / 2)
    assert decide(new, old, carried="bbbbbb").drop == ()
    assert decide(new, token("aaaaaa", left=-MINUTE), carried="bbbbbb").drop == ("aaaaaa",)


@pytest.mark.parametrize("pool", [True, False])
def test_a_token_is_prolonged_while_nothing_has_joined(pool: bool) -> None:
    waning = token(left=TTL / 2)
    assert decide(waning, pool=pool, joined=False).step == Prolong(waning, NOW + TTL)
    assert decide(token(), pool=pool, joined=False).step == Carry(token())


@pytest.mark.parametrize("joined", [True, False])
def test_a_missing_or_dead_token_is_replaced(joined: bool) -> None:
    assert decide(joined=joined).step == Mint()
    dead = decide(token(left=-MINUTE), joined=joined)
    assert (dead.step, dead.drop) == (Mint(), ("aaaaaa",))


def test_a_token_whose_data_was_never_written_is_taken_up() -> None:
    made = token("bbbbbb", left=TTL - MINUTE)
    assert decide(token(left=TTL / 3), made).step == Carry(made)


def test_a_machine_that_joined_needs_no_token_and_its_last_is_removed_when_dead() -> None:
    alive = decide(token(left=MINUTE), pool=False)
    assert (alive.step, alive.drop, alive.again) == (Rest(), (), MINUTE)
    assert decide(token(left=-MINUTE), pool=False) == tokens.Schedule(step=Rest(), drop=("aaaaaa",))


def test_tokens_are_bounded_whatever_happened_before() -> None:
    many = [token(f"tok{i:03}", left=TTL - i * dt.timedelta(seconds=1)) for i in range(20)]
    plan = decide(*many, carried="tok019")
    assert plan.step == Carry(many[19])
    assert len(many) - len(plan.drop) == tokens.MOST_LIVE
    assert "tok019" not in plan.drop


class Simulation:
    """A pool's workload cluster and data secret, driven by `decide` at the times it asks for."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.now = NOW
        self.tokens: dict[str, Token] = {}
        self.carried = ""
        self.joined = False
        self.minted = 0
        self.most = 0
        self.crash_before_data = False

    def reconcile(self) -> dt.timedelta:
        plan = tokens.decide(
            now=self.now,
            ttl=TTL,
            pool=True,
            joined=self.joined,
            carried=self.carried,
            tokens=tuple(self.tokens.values()),
        )
        match plan.step:
            case Mint():
                made = tokens.mint(self.rng, now=self.now, ttl=TTL)
                self.tokens[made.id] = made
                self.minted += 1
                if not self.crash_before_data:
                    self.carried = made.id
            case Carry(found):
                self.carried = found.id
            case Prolong(found, until):
                self.tokens[found.id] = token(found.id, left=until - self.now, now=self.now)
        for gone in plan.drop:
            del self.tokens[gone]
        self.most = max(self.most, len(self.tokens))
        assert plan.again is not None
        return plan.again

    def run(self, until: dt.datetime) -> None:
        """Reconcile when asked for, up to a time."""
        due = self.now
        while due <= until:
            self.now = due
            due = self.now + self.reconcile()
        self.now = until


def test_over_a_month_every_instance_gets_a_live_token_and_tokens_stay_few() -> None:
    rng = random.Random(5)
    pool = Simulation(rng)
    pool.run(NOW + dt.timedelta(minutes=3))
    pool.joined = True
    end = NOW + dt.timedelta(days=30)
    while pool.now < end:
        pool.run(min(end, pool.now + dt.timedelta(minutes=rng.uniform(5, 300))))
        held = pool.tokens[pool.carried]
        # An instance that boots now has at least half a token's life (less the second that times are cut to) to join.
        assert held.left(pool.now) >= TTL / 2 - dt.timedelta(seconds=1)
        later = pool.now + TTL / 2 - 2 * dt.timedelta(seconds=1)
        pool.run(later)
        assert held.id in pool.tokens, "its token was taken away while it joined"
        assert held.left(later) > dt.timedelta(0)
    assert pool.most <= 3
    assert pool.minted == pytest.approx(30 * 24 * 60 / 7.5, rel=0.02)


def test_after_an_outage_there_is_one_new_token_and_no_storm() -> None:
    pool = Simulation(random.Random(1))
    pool.joined = True
    pool.run(NOW + dt.timedelta(hours=1))
    before = pool.minted
    pool.now += dt.timedelta(hours=1)  # the workload API is away: nobody asks
    for _ in range(10):
        pool.reconcile()
    assert pool.minted == before + 1
    assert len(pool.tokens) == 1


def test_a_crash_between_token_and_data_costs_no_second_token() -> None:
    pool = Simulation(random.Random(1))
    pool.joined, pool.crash_before_data = True, True
    pool.reconcile()
    pool.crash_before_data = False
    for _ in range(5):
        pool.reconcile()
    assert (pool.minted, pool.carried) == (1, next(iter(pool.tokens)))


@settings(max_examples=300, deadline=None)
@given(
    lefts=st.lists(st.integers(-1000, 1000), max_size=8),
    carried=st.integers(0, 8),
    pool=st.booleans(),
    joined=st.booleans(),
)
def test_never_is_a_token_dropped_that_lives_and_is_carried(
    lefts: list[int], carried: int, pool: bool, joined: bool
) -> None:
    known = [token(f"tok{i:03}", left=dt.timedelta(seconds=left)) for i, left in enumerate(lefts)]
    plan = decide(*known, carried=f"tok{carried:03}", pool=pool, joined=joined)
    living = {t.id for t in known if t.left(NOW) > dt.timedelta(0)}
    assert f"tok{carried:03}" not in set(plan.drop) & living
    if isinstance(plan.step, Carry | Prolong):
        assert plan.step.token.id in living
        assert plan.step.token.id not in plan.drop


def test_a_secret_reads_back_as_its_token_and_tells_nothing_when_shown() -> None:
    made = tokens.mint(random.Random(3), now=NOW, ttl=TTL)
    assert tokens.from_secret(tokens.to_secret(made, owner="x")) == made
    assert tokens.split(made.text) == (made.id, made.secret)
    assert made.secret not in repr(made) + str(Carry(made))


def test_a_secret_that_is_no_token_is_none() -> None:
    secret = tokens.to_secret(tokens.mint(random.Random(3), now=NOW, ttl=TTL), owner="x")
    for key, value in {"token-secret": b"short", "expiration": b"tomorrow"}.items():
        broken = type(secret)(metadata=secret.metadata, data={**secret.data, key: value})
        assert tokens.from_secret(broken) is None
