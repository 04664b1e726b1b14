"""Bundles: every image exactly once, none too much at a time, and workers worth their start."""

import random
from itertools import pairwise

import pytest
from builders import route
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.jobs.bundles import bundle, choose_workers

LIMIT, MOST, UNKNOWN = 4.0, 64, 0.5
sizes = st.lists(st.none() | st.sampled_from([0.001, 0.1, 0.5, 1.0, 3.999, 4.0, 4.1, 50.0]), max_size=150)


def routes_of(megapixels):
    return [route(f"{place:03d}", size) for place, size in enumerate(megapixels)]


def size(route):
    return route.megapixels or UNKNOWN


@given(sizes)
@settings(max_examples=80, deadline=None)
def test_every_route_is_in_one_bundle_and_the_limits_are_kept(megapixels):
    routes = routes_of(megapixels)
    groups = list(bundle(routes))
    keys = [route.decision.entry.key for group in groups for route in group]
    assert sorted(keys) == [route.decision.entry.key for route in routes]
    for group in groups:
        assert 1 <= len(group) <= MOST
        assert len(group) == 1 or sum(map(size, group)) <= LIMIT + 1e-9


@given(sizes)
@settings(max_examples=50, deadline=None)
def test_the_largest_come_first_and_equals_by_key(megapixels):
    found = [route for group in bundle(routes_of(megapixels)) for route in group]
    assert found == sorted(found, key=lambda route: (-size(route), route.decision.entry.key))


@given(sizes, st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_bundles_do_not_hang_on_the_order_of_the_routes(megapixels, chance: random.Random):
    routes = routes_of(megapixels)
    mixed = chance.sample(routes, len(routes))
    assert list(bundle(mixed)) == list(bundle(routes))


def test_no_two_neighbouring_bundles_would_fit_into_one():
    groups = list(bundle(routes_of([None, 0.001, 3.0, 0.9, 0.3] * 40)))
    for one, other in pairwise(groups):
        assert sum(map(size, one)) + size(other[0]) > LIMIT or len(one) == MOST


def test_a_large_image_goes_alone():
    groups = list(bundle(routes_of([0.001, 5.0, 0.001])))
    assert [[route.megapixels for route in group] for group in groups] == [[5.0], [0.001, 0.001]]


def test_small_images_fill_a_bundle_to_its_number():
    assert [len(group) for group in bundle(routes_of([0.001] * 200))] == [64, 64, 64, 8]


def test_a_bundle_may_be_filled_to_the_brim():
    assert [len(group) for group in bundle(routes_of([1.0] * 9))] == [4, 4, 1]


def test_nothing_makes_no_bundle():
    assert list(bundle([])) == []


@pytest.mark.parametrize(
    ("megapixels", "workers", "expected"),
    [
        ([0.1], 8, "inline"),
        ([0.1] * 10, 8, "inline"),
        ([1000.0], 8, "inline"),  # one image has no use for a second worker
        ([1.0] * 10_000, 1, "inline"),
        ([1.0] * 40, 8, "threads"),
        ([1.0] * 400, 8, "threads"),
        ([1.0] * 500, 8, "local"),
        ([0.01] * 800, 8, "inline"),  # Python is most of the work, and a cluster takes too long to start
        ([0.01] * 1000, 8, "local"),
        ([None] * 2000, 8, "local"),
    ],
)
def test_the_kind_of_workers_follows_the_work(megapixels, workers, expected):
    assert choose_workers(routes_of(megapixels), workers) == expected


@given(st.sampled_from([None, 0.01, 0.4, 1.0]), st.integers(1, 1500))
@settings(max_examples=50, deadline=None)
def test_more_of_the_same_work_never_asks_for_less(megapixels, count):
    order = ["inline", "threads", "local"]
    routes = routes_of([megapixels]) * count
    fewer, more = choose_workers(routes, 4), choose_workers(routes * 2, 4)
    assert order.index(more) >= order.index(fewer)
