"""count → fit → map for an array: what comes back belongs together, and is the same every time."""

import csv
import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import pipeline
from pipeline import quantize
from pipeline.color.counts import count_colors
from pipeline.color.kmeans import KMeans
from pipeline.color.mapping import fit_palette, paint

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
RNG = np.random.default_rng(29)


def picture():
    """Return ramps, a disc, stripes and grain, (96, 128, 3): integer arithmetic, the same everywhere."""
    y, x = np.mgrid[0:96, 0:128]
    grain = (x * 7919 + y * 104729 + x * y * 31) % 17
    channels = np.stack([2 * x - grain // 2, 2 * y + grain, (x * y) // 64 + grain], axis=2)
    disc = (x - 40) ** 2 + (y - 50) ** 2 < 500
    channels[disc] = np.stack([200 + grain, 60 + y // 2, 30 + grain // 3], axis=2)[disc]
    channels[:, 100:104] = [250, 250, 240]
    channels[5:9] = np.stack([grain, grain, 2 * grain], axis=2)[5:9]
    return np.clip(channels, 0, 255).astype(np.uint8)


def picture_with_alpha():
    y, x = np.mgrid[0:96, 0:128]
    return np.dstack([picture(), np.clip(4 * (x - 20) + y // 8, 0, 255).astype(np.uint8)])


def errors(result, image):
    """Squared distance of each pixel to its own stand-in, and to every palette colour."""
    pixels = image[:, :, :3].astype(np.int64)
    own = np.square(pixels - result.image[:, :, :3]).sum(axis=2)
    every = np.square(pixels[:, :, None] - result.palette.colors.astype(np.int64)).sum(axis=3)
    return own, every


@st.composite
def images(draw):
    """Small images of many or few colours, with or without alpha."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.integers(1, 12)), draw(st.integers(1, 12)), 3
    image = rng.integers(0, draw(st.sampled_from([1, 2, 5, 256])), shape).astype(np.uint8)
    if draw(st.booleans()):
        image = np.dstack([image, rng.choice(np.array([0, 1, 128, 255], np.uint8), shape[:2])])
        image[0, 0, 3] = 255
    return image


@given(images(), st.integers(1, 20))
@settings(deadline=None, max_examples=80)
def test_labels_palette_image_and_mse_belong_together(image, k):
    result = quantize(image, colors=k)
    seen = image[:, :, 3] > 0 if image.shape[2] == 4 else np.ones(image.shape[:2], bool)
    assert result.labels.shape == image.shape[:2]
    assert result.labels.dtype == np.uint8
    assert (result.image[seen, :3] == result.palette.colors[result.labels[seen]]).all()
    assert len(result.palette) == min(k, len(np.unique(image[seen, :3], axis=0)))
    assert result.palette.counts.tolist() == np.bincount(result.labels[seen]).tolist()
    own, every = errors(result, image)
    assert (own == every.min(axis=2))[seen].all()
    assert result.mse == pytest.approx(own[seen].mean(), abs=1e-9)


@given(images(), st.integers(1, 20))
@settings(deadline=None, max_examples=80)
def test_fully_transparent_pixels_have_a_label_of_their_own_and_alpha_stays(image, k):
    result = quantize(image, colors=k)
    if image.shape[2] == 3 or (image[:, :, 3] == 255).all():
        assert result.alpha is None
        assert result.image.shape[2] == 3
        return
    clear = image[:, :, 3] == 0
    assert (result.alpha == image[:, :, 3]).all()
    assert (result.image[:, :, 3] == image[:, :, 3]).all()
    assert (result.labels[clear] == len(result.palette)).all()
    assert (result.labels[~clear] < len(result.palette)).all()
    assert not result.image[clear].any()


@given(images(), st.data())
@settings(deadline=None, max_examples=40)
def test_what_lies_under_transparent_pixels_does_not_matter(image, data):
    if image.shape[2] == 3:
        image = np.dstack([image, (np.indices(image.shape[:2]).sum(axis=0) % 2 == 0) * np.uint8(255)])
    other = image.copy()
    other[image[:, :, 3] == 0, :3] = data.draw(st.integers(0, 255))
    first, again = quantize(image, colors=5), quantize(other, colors=5)
    assert first.image.tobytes() == again.image.tobytes()
    assert first.palette.hex == again.palette.hex


@given(images(), st.integers(1, 20))
@settings(deadline=None, max_examples=80)
def test_quantizing_again_changes_nothing(image, k):
    first = quantize(image, colors=k)
    again = quantize(first.image, colors=k)
    assert again.image.tobytes() == first.image.tobytes()
    assert again.labels.tobytes() == first.labels.tobytes()
    assert again.palette.hex == first.palette.hex
    assert again.mse == 0


@pytest.mark.parametrize("k", [5, 60, 255, 256, 257, 1000])
def test_an_image_of_no_more_colors_is_reproduced_exactly(k):
    colors = RNG.choice(1 << 24, k, replace=False)
    pixels = np.stack([colors >> 16, colors >> 8 & 255, colors & 255], axis=1).astype(np.uint8)
    image = np.concatenate([pixels, pixels[::-1]]).reshape(2, k, 3)
    result = quantize(image, colors=k)
    assert result.image.tobytes() == image.tobytes()
    assert result.mse == 0
    assert result.labels.dtype == (np.uint8 if k <= 256 else np.uint16)


@pytest.mark.parametrize(("k", "dtype"), [(255, np.uint8), (256, np.uint16)])
def test_the_label_of_transparent_pixels_counts_for_the_type(k, dtype):
    image = np.dstack([RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8), np.full((40, 50), 255, np.uint8)])
    image[3, 4, 3] = 0
    result = quantize(image, colors=k)
    assert result.labels.dtype == dtype
    assert result.labels[3, 4] == k
    image[3, 4, 3] = 1
    assert quantize(image, colors=k).labels.dtype == np.uint8


def test_all_16_bits_serve_and_one_label_more_is_refused():
    codes = RNG.choice(1 << 24, 65_537, replace=False)
    image = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.uint8)[None]
    result = quantize(image[:, :65_536], colors=65_536)
    assert np.array_equal(np.unique(result.labels), np.arange(65_536))
    clear = np.dstack([image, np.full((1, 65_537), 255, np.uint8)])
    clear[0, -1, 3] = 0
    with pytest.raises(ValueError, match=r"65536 colours .* ask for 65535"):
        quantize(clear, colors=65_536)


def test_palette_is_ordered_by_count():
    assert (np.diff(quantize(picture(), colors=30).palette.counts) <= 0).all()


def test_one_pixel():
    result = quantize(np.array([[[1, 2, 3]]], np.uint8))
    assert result.palette.hex == ["#010203"]
    assert (result.labels.tolist(), result.mse, result.alpha) == ([[0]], 0.0, None)


def test_the_input_is_not_written_to_and_any_layout_gives_the_same():
    for image in (picture(), picture_with_alpha()):
        image.flags.writeable = False
        before = image.tobytes()
        expected = quantize(image, colors=10)
        for same in (
            np.asfortranarray(image),
            np.flip(np.flip(image).copy()),
            np.repeat(image, 2, axis=1)[:, ::2],
        ):
            result = quantize(same, colors=10)
            assert result.labels.tobytes() == expected.labels.tobytes()
            assert result.palette.hex == expected.palette.hex
            assert result.image.tobytes() == expected.image.tobytes()
        assert image.tobytes() == before


@pytest.mark.parametrize("turn", [np.flipud, np.fliplr, np.rot90, lambda image: image.transpose(1, 0, 2)])
def test_turning_the_image_turns_the_labels(turn):
    image = picture_with_alpha()
    straight, turned = quantize(image, colors=9), quantize(turn(image), colors=9)
    assert turned.palette.hex == straight.palette.hex
    assert (turned.labels == turn(straight.labels[:, :, None])[:, :, 0]).all()


def test_pil_images_of_all_kinds_are_taken():
    rgb, rgba = Image.fromarray(picture()), Image.fromarray(picture_with_alpha())
    grey, few = rgb.convert("L"), rgb.quantize(40)
    clear = few.copy()
    clear.info["transparency"] = 3
    cases = {
        "RGB": (rgb, picture()),
        "RGBA": (rgba, picture_with_alpha()),
        "L": (grey, np.asarray(grey.convert("RGB"))),
        "LA": (rgba.convert("LA"), np.asarray(rgba.convert("LA").convert("RGBA"))),
        "1": (rgb.convert("1"), np.asarray(rgb.convert("1").convert("RGB"))),
        "P": (few, np.asarray(few.convert("RGB"))),
        "P, one colour transparent": (clear, np.asarray(clear.convert("RGBA"))),
        "CMYK": (rgb.convert("CMYK"), np.asarray(rgb.convert("CMYK").convert("RGB"))),
    }
    for name, (image, array) in cases.items():
        result, expected = quantize(image, colors=7), quantize(array, colors=7)
        assert result.image.tobytes() == expected.image.tobytes(), name
        assert (result.alpha is None) == (array.shape[2] == 3), name


def test_alpha_in_a_pil_palette_is_kept():
    few = Image.fromarray(picture_with_alpha()).quantize(40)
    assert few.has_transparency_data
    assert (quantize(few, colors=7).alpha == np.asarray(few.convert("RGBA"))[:, :, 3]).all()


def test_an_image_all_transparent_is_refused():
    with pytest.raises(ValueError, match="no pixels to fit: all are fully transparent"):
        quantize(np.zeros((3, 4, 4), np.uint8))


@pytest.mark.parametrize(
    ("image", "shown"),
    [
        (np.zeros(4, np.uint8), r"found shape \(4,\) of uint8"),
        (np.zeros((4, 5), np.uint16), r"found shape \(4, 5\) of uint16; scale it to 8 bits"),
        (np.zeros((4, 5, 2), np.uint8), r"found shape \(4, 5, 2\) of uint8"),
        (np.zeros((4, 5, 5), np.uint8), r"found shape \(4, 5, 5\) of uint8"),
        (np.zeros((1, 4, 5, 3), np.uint8), r"found shape \(1, 4, 5, 3\) of uint8"),
        (np.zeros((4, 5, 2)), r"found shape \(4, 5, 2\) of float64"),
        (np.full((4, 5, 3), 1.5), r"expected floats from 0 to 1, found values from 1\.5 to 1\.5"),
        (np.full((4, 5, 3), -np.inf), r"expected floats from 0 to 1, found values from -inf"),
        (np.zeros((4, 5, 3), np.uint16), r"found shape \(4, 5, 3\) of uint16"),
        (np.zeros((4, 5, 3), bool), r"found shape \(4, 5, 3\) of bool"),
        ([[[1, 2, 3]]], r"found shape \(1, 1, 3\) of int64"),
        (1.5, "expected a uint8 array of shape"),
        (np.zeros((0, 5, 3), np.uint8), "the image is empty"),
    ],
)
def test_anything_else_is_refused_with_what_was_expected_and_found(image, shown):
    with pytest.raises(ValueError, match=shown):
        quantize(image)


def test_settings_are_handed_on():
    with pytest.raises(ValueError, match="not 0"):
        quantize(picture(), colors=0)
    with pytest.raises(ValueError, match="unknown setting 'colours'; did you mean 'colors'"):
        quantize(picture(), colours=4)
    assert len(quantize(picture(), 6, init="kmeans++", attempts=2, seed=9, tol=0.01, max_iter=5).palette) == 6
    assert (
        len(quantize(picture(), 6, init="pixels", eps=0.5, color_space="lab", small_areas=0.2).palette) == 6
    )


@pytest.mark.parametrize("space", ["linear", "lab", "oklab"])
def test_in_any_space_the_mse_is_that_of_srgb(space):
    image = picture_with_alpha()
    result = quantize(image, colors=20, color_space=space)
    own, every = errors(result, image)
    seen = image[:, :, 3] > 0
    assert len(result.palette) == 20
    assert result.mse == pytest.approx(own[seen].mean(), abs=1e-9)
    assert (own > every.min(axis=2))[seen].any()  # labels are the nearest in the space, not in sRGB
    assert result.mse > quantize(image, colors=20).mse


def test_a_palette_fitted_once_paints_every_part_like_the_whole():
    image = picture()
    fitted = fit_palette(count_colors(image), KMeans(colors=20))
    whole = paint(image, None, count_colors(image), fitted)
    parts = [
        paint(image[rows], None, count_colors(image), fitted) for rows in (slice(0, 37), slice(37, None))
    ]
    assert np.array_equal(np.concatenate(parts), whole)


def test_quantizing_in_many_threads_at_once_is_right():
    turned = [np.roll(picture(), shift, axis=2) for shift in range(3)] * 4
    expected = [digest(quantize(image, colors=5 + i)) for i, image in enumerate(turned)]
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda pair: digest(quantize(pair[1], colors=5 + pair[0])), enumerate(turned))
        assert list(found) == expected


def test_the_public_name_is_the_quantizers():
    from pipeline.library import quantized, quantizer

    assert pipeline.quantize is quantizer.quantize
    assert pipeline.Quantized is quantized.Quantized
    with pytest.raises(AttributeError, match="no attribute 'quantise'"):
        pipeline.quantise  # noqa: B018


def digest(result):
    return hashlib.sha256(result.palette.colors.tobytes() + result.labels.tobytes()).hexdigest()


def digests():
    """What quantizing the picture gives, in ways that touch each part of the fit; see the next test."""
    image = picture_with_alpha()
    found = [digest(quantize(image, colors=k)) for k in (3, 20, 100, 500)]
    found.append(digest(quantize(image, colors=12, init="kmeans++", attempts=3, seed=77)))
    found.append(digest(quantize(np.repeat(image, 3, axis=0), colors=40, tol=0.0)))
    for space in ("linear", "lab", "oklab"):
        found.append(digest(quantize(image, colors=24, color_space=space)))
        found.append(digest(quantize(image, colors=9, color_space=space, small_areas=0.6)))
    for init in ("pixels", "random", image[::24, ::32, :3].reshape(-1, 3)):
        found.append(digest(quantize(image, colors=16, init=init, tol=0.0, eps=1e-5, attempts=2, seed=5)))
    return found


def digests_of_another_process(**environment):
    script = f"""
import importlib.util, json
spec = importlib.util.spec_from_file_location("laws", {str(Path(__file__))!r})
laws = importlib.util.module_from_spec(spec)
spec.loader.exec_module(laws)
print(json.dumps(laws.digests()))
"""
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_another_process_gives_the_same_bytes():
    """Another hash seed and number of threads must not show."""
    here = digests()
    assert len(set(here)) == len(here)
    assert digests_of_another_process(PYTHONHASHSEED="4242", NUMBA_NUM_THREADS="1") == here


@pytest.mark.slow
def test_a_processor_of_another_kind_gives_the_same_bytes(tmp_path):
    """Compiled for the plainest x86-64 or ARM, with no fused or wide instructions, nothing changes."""
    wide = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    plain = {
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
        "NPY_DISABLE_CPU_FEATURES": " ".join(wide),
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    assert digests_of_another_process(**plain) == digests()


@pytest.mark.slow
def test_palettes_are_as_good_as_the_best_known():
    """On the photographs of CQ100: within 1 % of the best of 40 restarts, and better than IOKM."""
    anchors, folder = SHARED / "anchors" / "cq100.csv", SHARED / "data" / "cq100"
    if not anchors.exists() or not folder.exists():
        pytest.skip(f"the CQ100 photographs and their anchors are not at {SHARED}")
    with anchors.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    counts = {
        name: count_colors(np.asarray(Image.open(folder / f"{name}.png").convert("RGB")))
        for name in {row["image"] for row in rows}
    }
    ratios, better = {}, 0
    for row in rows:
        counted = counts[row["image"]]
        mse = fit_palette(counted, KMeans(colors=int(row["k"]))).inertia / counted.total
        ratios.setdefault(int(row["k"]), []).append(mse / float(row["mse_best_known"]))
        better += mse <= float(row["mse_iokm"])
    means = {k: float(np.exp(np.mean(np.log(found)))) for k, found in ratios.items()}
    assert sorted(means) == [4, 16, 64, 256]
    assert max(means.values()) <= 1.010, means
    assert len(rows) == 40
    assert better >= 34


GOLDEN = {
    4: "be4b2e 292b0f ceb092 3ea430",
    16: """
        ce5223 0f120d 139f15 532712 13520e 76a653 a37a51 8c5030 9b2117 a8af78 41b035 e3574e e18577 e1221f
        e4b1a0 fafaf0
    """,
    64: """
        d05920 d05020 fafaf0 0c0c17 040507 0c2809 473014 9a462e 23961c 962b1c 7a4526 b42b20 61351a 23b823
        08430b 9d6743 97a164 9b8656 283f12 61bc50 0aa20f 7f8f4c 07870d 7a2a18 b58d67 39a32c 06640b 847642
        09bb11 b5a578 855b34 b54533 2c290d d76c5d d85046 7aaa57 9dba78 b65c44 b57556 669c44 50aa3c 63140c
        ef403c ef5b56 1a5611 187813 ee746e ef2624 d78775 ef8d85 d7a18a 3fbe39 b7bc8c efa69d 82be68 d7baa0
        88100b af100c d73831 eebeb4 431209 e50d0c d5221d 231108
    """,
}


@pytest.mark.parametrize("k", GOLDEN)
def test_the_palettes_of_the_picture_are_these(k):
    """Raise `ALGORITHM_VERSION` in `pipeline.jobs.recipe` when you change them on purpose.

    A palette that changes means that the same recipe gives other bytes: every image of every
    user is to be done anew, which the version tells their next run.
    """
    assert [color[1:] for color in quantize(picture(), colors=k).palette.hex] == GOLDEN[k].split()


def test_what_is_no_image_or_no_setting_is_told_with_the_way_out():
    image = np.zeros((2, 2, 3), np.uint8)
    with pytest.raises(TypeError, match=r"found a path, 'coffee\.jpg'; open it with PIL\.Image\.open"):
        quantize("coffee.jpg")
    with pytest.raises(ValueError, match="did you mean 'colors'"):
        quantize(image, colours=4)
    assert repr(quantize(image)) == "<Quantized 2 × 2, 1 colours, MSE 0>"
