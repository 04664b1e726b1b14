"""Slabs cover the rows once, in order, in whole units."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.jobs.slabs import slabs_of

sizes = st.integers(1, 100_000)


@given(sizes, sizes, st.integers(1, 5000), st.integers(1, 1 << 24))
def test_slabs_cover_the_rows_once_in_whole_units(height, width, unit, pixels):
    slabs = slabs_of(height, width, unit, max(pixels, height * width // 1000))
    assert [slab.number for slab in slabs] == list(range(len(slabs)))
    row = 0
    for slab in slabs:
        assert slab.row == row
        row += slab.height
    assert row == height
    assert len({slab.height for slab in slabs[:-1]}) <= 1
    assert all(slab.height % unit == 0 for slab in slabs[:-1])
    assert slabs[-1].height <= slabs[0].height
    assert slabs[0].height <= unit or slabs[0].height * width <= max(pixels, height * width // 1000)
