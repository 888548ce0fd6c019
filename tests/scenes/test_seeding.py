"""Random streams and fair deals."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from fixtures.scenes.seeding import deal, stream

seeds = st.integers(min_value=0, max_value=2**64)


@given(seed=seeds, pairs=st.integers(min_value=1, max_value=12))
def test_as_many_yes_as_no_for_every_seed(seed: int, pairs: int) -> None:
    members = [f"dd-{i:02d}" for i in range(2 * pairs)]
    dealt = deal(seed, "defect-detection/yes-no", members, (True, False))
    assert Counter(dealt.values()) == {True: pairs, False: pairs}


@given(
    seed=seeds,
    members=st.lists(st.text(min_size=1), min_size=1, max_size=20, unique=True),
    values=st.lists(st.integers(), min_size=1, max_size=9, unique=True),
)
def test_no_value_comes_twice_before_all_came_once(
    seed: int, members: list[str], values: list[int]
) -> None:
    dealt = deal(seed, "g", members, values)
    counts = Counter(dict.fromkeys(values, 0))
    counts.update(dealt.values())
    assert set(dealt) == set(members)
    assert max(counts.values()) - min(counts.values()) <= 1


@given(seed=seeds, members=st.permutations(["a", "b", "c", "d"]))
def test_the_deal_does_not_depend_on_the_order_of_members(seed: int, members: list[str]) -> None:
    assert deal(seed, "g", members, (1, 2, 3)) == deal(seed, "g", sorted(members), (1, 2, 3))


def test_every_member_gets_every_value_under_some_seed() -> None:
    seen = {deal(seed, "g", ["a", "b"], (True, False))["a"] for seed in range(30)}
    assert seen == {True, False}


def test_a_stream_repeats_for_the_same_names_and_differs_for_others() -> None:
    first = stream(1, "dd-03-blister", 0).random(4).tolist()
    assert stream(1, "dd-03-blister", 0).random(4).tolist() == first
    others = [
        stream(2, "dd-03-blister", 0),
        stream(1, "dd-04-jar", 0),
        stream(1, "dd-03-blister", 1),
    ]
    assert all(other.random(4).tolist() != first for other in others)


def test_names_do_not_run_into_each_other() -> None:
    assert stream(1, "ab", "c").random() != stream(1, "a", "bc").random()
