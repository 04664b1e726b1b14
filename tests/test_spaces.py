"""Working spaces are what others say they are, on a grid that every 8-bit colour survives."""

import hashlib

import numpy as np
import pytest
from colors import CORNERS, bounds
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import lab2rgb, rgb2lab

from pipeline.color.kernels import CODES, unpack_codes
from pipeline.color.spaces import LINEAR, SPACES, to_lab, to_oklab

RNG = np.random.default_rng(31)
GREYS = np.arange(256, dtype=np.uint8)[None].repeat(3, axis=0)
AT_ONCE = 1 << 19
spaces = st.sampled_from(sorted(SPACES))


def some_planes(n=100_000):
    """Return random colours, the greys and the corners of the cube, (3, n)."""
    return np.concatenate([RNG.integers(0, 256, (3, n), dtype=np.uint8), GREYS, CORNERS], axis=1)


def all_planes():
    """Return all 2²⁴ colours, half a million at a time."""
    for start in range(0, CODES, AT_ONCE):
        planes = np.empty((3, AT_ONCE), np.uint8)
        unpack_codes(np.arange(start, start + AT_ONCE, dtype=np.uint32), planes)
        yield planes


def values(space, planes):
    """What a space's grid says the colours are, in its own units."""
    return SPACES[space].place(planes) / SPACES[space].unit + np.array(SPACES[space].low)[:, None]


def oklab(planes):
    """OKLab by the definition, from linear light, with a library's cube root."""
    coded = planes / 255
    light = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    to_cones = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    to_lab = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    return np.array(to_lab) @ np.cbrt(np.array(to_cones) @ light)


def test_lab_is_scikit_images():
    planes = some_planes()
    expected = rgb2lab(planes.T[None])[0].T
    assert np.abs(to_lab(planes) - expected).max() < 1e-9


def test_oklab_is_its_definition():
    planes = some_planes()
    assert np.abs(to_oklab(planes) - oklab(planes)).max() < 1e-9


@pytest.mark.parametrize(
    ("color", "expected"),
    [
        ((255, 255, 255), (1.0, 0.0, 0.0)),
        ((0, 0, 0), (0.0, 0.0, 0.0)),
        ((255, 0, 0), (0.6280, 0.2249, 0.1258)),
        ((0, 255, 0), (0.8664, -0.2339, 0.1795)),
        ((0, 0, 255), (0.4520, -0.0325, -0.3115)),
    ],
)
def test_oklab_of_the_primaries_is_as_published(color, expected):
    found = to_oklab(np.array(color, np.uint8)[:, None])[:, 0]
    assert found == pytest.approx(expected, abs=6e-5)


def test_linear_light_is_srgbs():
    assert LINEAR[[0, 255]].tolist() == [0.0, 1.0]
    assert LINEAR[188] == pytest.approx(0.5029, abs=1e-4)
    assert LINEAR[10] == pytest.approx(10 / 255 / 12.92, abs=1e-12)
    assert (np.diff(LINEAR) > 0).all()


def test_coordinates_are_the_values_to_half_a_unit():
    planes = some_planes()
    expected = {
        "srgb": planes.astype(float),
        "linear": LINEAR[planes],
        "lab": rgb2lab(planes.T[None])[0].T,
        "oklab": oklab(planes),
    }
    assert set(expected) == set(SPACES)
    for space, exact in expected.items():
        assert np.abs(values(space, planes) - exact).max() <= 0.5 / SPACES[space].unit + 1e-9


def test_in_srgb_a_coordinate_is_64_times_the_level():
    planes = some_planes(1000)
    assert (SPACES["srgb"].place(planes) == planes.astype(int) * 64).all()
    assert SPACES["srgb"].unit == 64


@pytest.mark.parametrize("space", SPACES)
def test_every_color_comes_back_from_its_point_which_no_other_has(space):
    chosen = SPACES[space]
    lowest, highest = np.full(3, chosen.extent), np.zeros(3, int)
    for planes in all_planes():
        points = chosen.place(planes)
        assert points.dtype == np.int16
        back = chosen.levels(np.ascontiguousarray(points.T, np.int32))
        assert back.shape == (AT_ONCE, 3)
        assert (planes == back.T).all()
        lowest = np.minimum(lowest, points.min(axis=1))
        highest = np.maximum(highest, points.max(axis=1))
    assert lowest.min() >= 0
    assert highest.max() < chosen.extent <= 2**15
    low, high = bounds(space)
    assert (lowest == low).all()
    assert (highest == high).all()


@given(spaces, st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=60)
def test_some_colors_come_back_from_their_points(space, seed):
    planes = np.random.default_rng(seed).integers(0, 256, (3, 500)).astype(np.uint8)
    points = SPACES[space].place(planes)
    assert (planes == SPACES[space].levels(np.ascontiguousarray(points.T, np.int32)).T).all()
    assert points.min() >= 0
    assert points.max() < SPACES[space].extent


@pytest.mark.parametrize("space", SPACES)
def test_squared_distances_fit_32_bits(space):
    low, high = bounds(space)
    assert np.square((high - low).astype(np.int64)).sum() < 2**31


@pytest.mark.parametrize("space", SPACES)
def test_neighbours_in_level_stay_apart(space):
    """No step of one level is less than a unit of the grid; on average it is tens of them."""
    planes = some_planes(20_000)
    planes = planes[:, (planes < 255).all(axis=0)]
    for channel in range(3):
        above = planes.copy()
        above[channel] += 1
        step = SPACES[space].place(above).astype(int) - SPACES[space].place(planes)
        length = np.sqrt(np.square(step).sum(axis=0))
        assert length.min() >= 1
        assert length.mean() > 10


@given(spaces, st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=60)
def test_any_point_has_an_8_bit_color(space, seed):
    """Means of colours lie anywhere between them, and in Lab they may lie outside sRGB: clipped."""
    rng = np.random.default_rng(seed)
    points = rng.integers(0, SPACES[space].extent, (300, 3)).astype(np.int32)
    levels = SPACES[space].levels(points)
    assert levels.dtype == np.uint8
    assert levels.shape == points.shape
    assert levels.flags.c_contiguous


def test_points_of_lab_out_of_gamut_are_clipped_as_scikit_image_clips_them():
    rng = np.random.default_rng(5)
    points = np.stack([rng.integers(0, 12_801, 3000), *rng.integers(0, 26_000, (2, 3000))], axis=1)
    lab = points / SPACES["lab"].unit + SPACES["lab"].low
    lab = lab[keep := (lab[:, 0] / 116 + 16 / 116 - lab[:, 2] / 200 > 0.01)]  # it warns of negative Z
    expected = np.round(lab2rgb(lab) * 255)
    found = SPACES["lab"].levels(points[keep].astype(np.int32))
    assert np.abs(found - expected).max() <= 1
    assert (found == expected).mean() > 0.999


@pytest.mark.parametrize("space", ["linear", "lab", "oklab"])
def test_points_between_two_colors_have_the_nearer_level(space):
    """Along the greys the first channel grows; half-way between two, the level turns."""
    points = SPACES[space].place(GREYS).T.astype(np.int32)
    for share in (0.25, 0.75):
        between = np.round(points[:-1] + share * (points[1:] - points[:-1])).astype(np.int32)
        levels = SPACES[space].levels(between).astype(int)
        lower = np.arange(255)[:, None]
        assert (levels >= lower).all()
        assert (levels <= lower + 1).all()
    assert (SPACES[space].levels(points) == np.arange(256)[:, None]).all()


@pytest.mark.parametrize("space", SPACES)
def test_how_many_are_placed_at_once_changes_nothing(space):
    planes = some_planes(70_000)
    whole = SPACES[space].place(planes)
    parts = [SPACES[space].place(part) for part in np.array_split(planes, 9, axis=1)]
    assert (np.concatenate(parts, axis=1) == whole).all()
    assert SPACES[space].place(planes[:, :0]).shape == (3, 0)
    assert (SPACES[space].place(np.asfortranarray(planes)) == whole).all()


PLACED = {
    "srgb": "16d8244839a132ea",
    "linear": "8c17581539324d00",
    "lab": "f24639c717181c23",
    "oklab": "da1008e3167a5546",
}


@pytest.mark.parametrize("space", SPACES)
def test_the_points_are_these(space):
    """The same on any machine: whoever changes them changes every palette found in that space."""
    planes = np.empty((3, CODES >> 6), np.uint8)
    scattered = np.arange(0, CODES, 1 << 6, dtype=np.uint32) * np.uint32(0x9E3779B1) >> np.uint32(8)
    unpack_codes(scattered, planes)
    points = SPACES[space].place(planes).astype("<i2")
    assert hashlib.sha256(points.tobytes()).hexdigest()[:16] == PLACED[space]
