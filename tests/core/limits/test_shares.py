"""Test that no caller can hold what another one needs."""

import random

from mastra_core.limits.shares import Shares


def acquire_all(shares, caller):
    number = 0
    while shares.try_acquire(caller):
        number += 1
    return number


def test_a_caller_alone_gets_half_and_others_get_equal_parts():
    shares = Shares(1000)
    assert acquire_all(shares, "ann") == 500
    assert acquire_all(shares, "bob") == 250
    shares = Shares(900)
    while any([shares.try_acquire("ann"), shares.try_acquire("bob")]):
        pass
    assert shares.free == 300
    assert shares.try_acquire("new")


def test_the_application_may_hold_everything():
    shares = Shares(10)
    assert acquire_all(shares, "") == 10
    assert not shares.try_acquire("ann")


def test_a_caller_without_anything_gets_what_is_free():
    shares = Shares(10)
    assert shares.try_acquire("ann", 10)
    assert not shares.try_acquire("bob", 1)
    shares.release("ann", 10)
    assert not shares.try_acquire("bob", 11)
    assert shares.try_acquire("bob", 10)


def test_held_parts_are_counted_exactly():
    chance = random.Random(1)
    shares, held = Shares(500), []
    for _ in range(5000):
        if held and chance.random() < 0.5:
            shares.release(*held.pop(chance.randrange(len(held))))
        else:
            part = chance.choice("abc"), chance.randrange(20)
            if shares.try_acquire(*part):
                held.append(part)
        assert shares.free == 500 - sum(amount for _, amount in held) >= 0
    for part in held:
        shares.release(*part)
    assert shares.free == 500
    assert not shares._held
