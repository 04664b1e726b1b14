"""Tasks: whatever is in a bundle, each image gets its record, and only sound ones their files."""

import hashlib
import io
import json
import subprocess
import sys

import numpy as np
import pytest
from builders import job, noise, plant, tree
from PIL import Image

from pipeline.errors import ImageError
from pipeline.jobs import tasks
from pipeline.jobs.records import Failure, InputFacts, from_line, to_line
from pipeline.jobs.settings import settings_of
from pipeline.jobs.statcache import FileState
from pipeline.jobs.tasks import Painting, process_bundle


def process(spec, *keys):
    outcomes = process_bundle(settings_of(spec, "r"), Painting(keys))
    assert [outcome.record.image for outcome in outcomes] == list(keys)
    for outcome in outcomes:
        assert from_line(to_line(outcome.record)) == outcome.record
    return outcomes


def one(spec, key):
    [outcome] = process(spec, key)
    return outcome.record


def png_of(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


Image.init()  # see the test of a process that has just started
SOUND = png_of(noise(30, 40))


def test_a_record_tells_the_input_and_every_output_as_they_are(tmp_path):
    spec = job(tmp_path, output={"palette": {"formats": ["json", "gpl"]}}, quantize={"colors": 5})
    path = plant(tmp_path / "in", "a/b.png", noise(9, 8))
    [(record, state)] = process(spec, "a/b.png")
    data, status = path.read_bytes(), path.stat()
    digest = hashlib.sha256(data).hexdigest()
    assert (record.status, record.recipe, record.error, record.notes) == ("done", "r", None, ())
    assert record.input == InputFacts(len(data), digest, 8, 9, "RGB", "png")
    assert state == FileState(len(data), status.st_mtime_ns, status.st_ino, digest)
    found = {
        path: hashlib.sha256(content).hexdigest() for path, (content, *_) in tree(tmp_path / "out").items()
    }
    assert found == {output.path: output.sha256 for output in record.outputs.values()}
    for output in record.outputs.values():
        assert (tmp_path / "out" / output.path).stat().st_size == output.bytes
    assert (record.colors.asked, record.colors.found) == (5, 5)
    palette = json.loads((tmp_path / "out/palettes/a/b.png.json").read_bytes())
    assert palette["mse"] == record.metrics.mse
    assert (palette["iterations"], palette["converged"]) == (record.iterations, record.converged)


def test_the_quantized_file_is_the_palette_at_the_labels(tmp_path):
    spec = job(tmp_path, quantize={"colors": 5})
    plant(tmp_path / "in", "a.png", noise(9, 8))
    record = one(spec, "a.png")
    files = {kind: tmp_path / "out" / output.path for kind, output in record.outputs.items()}
    colors = np.array([entry["rgb"] for entry in json.loads(files["palette"].read_bytes())["colors"]])
    with Image.open(files["quantized"]) as image, Image.open(files["labels"]) as labels:
        assert (np.asarray(image.convert("RGB")) == colors[np.asarray(labels)]).all()


def bad_files():
    broken = bytearray(SOUND)
    broken[60:90] = bytes(30)
    clear = np.dstack([noise(3, 3), np.zeros((3, 3), np.uint8)])
    return {
        "NotAnImage": b"no image at all, but words",
        "TruncatedImage": SOUND[: len(SOUND) // 2],
        "DamagedImage": bytes(broken),
        "UnlistedFormat": b"GIF89a" + bytes(20),
        "NothingVisible": png_of(clear),
        "TooManyPixels": png_of(noise(60, 60)),
    }


@pytest.mark.parametrize("kind", bad_files())
def test_a_failure_is_a_record_with_the_contents_digest(tmp_path, kind):
    spec = job(tmp_path, input={"formats": ["png"], "max_megapixels": 0.002})
    data = bad_files()[kind]
    (tmp_path / "in/a.png").write_bytes(data)
    [(record, state)] = process(spec, "a.png")
    digest = hashlib.sha256(data).hexdigest()
    assert (record.status, record.error.type, record.outputs) == ("failed", kind, {})
    assert record.error.message.startswith("a.png: ")
    assert (record.input.bytes, record.input.sha256, state.sha256) == (len(data), digest, digest)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["TruncatedImage", "DamagedImage", "NothingVisible"])
def test_a_failure_behind_the_header_tells_the_size_too(tmp_path, kind):
    spec = job(tmp_path)
    (tmp_path / "in/a.png").write_bytes(bad_files()[kind])
    facts = one(spec, "a.png").input
    assert (facts.width, facts.height) == ((3, 3) if kind == "NothingVisible" else (40, 30))
    assert facts.mode == ("RGBA" if kind == "NothingVisible" else "RGB")


def test_a_file_that_was_not_read_has_no_state(tmp_path):
    spec = job(tmp_path)
    [(record, state)] = process(spec, "gone.png")
    assert (record.error.type, record.input, state) == ("VanishedFile", None, None)


def test_unsupported_files_are_skipped_where_the_job_says_so_and_others_are_not(tmp_path):
    spec = job(tmp_path, input={"formats": ["png"], "on_unsupported": "skip"})
    for name, data in bad_files().items():
        (tmp_path / "in" / name).write_bytes(data)
    outcomes = process(spec, *bad_files())
    skipped = {outcome.record.error.type for outcome in outcomes if outcome.record.status == "skipped"}
    assert skipped == {"NotAnImage", "UnlistedFormat"}


def test_one_bad_image_does_not_disturb_the_others(tmp_path):
    spec = job(tmp_path, input={"formats": ["png"], "max_megapixels": 0.002})
    for key in ("a.png", "m.png", "z.png"):
        plant(tmp_path / "in", key)
    for name, data in bad_files().items():
        (tmp_path / "in" / name).write_bytes(data)
    alone = {key: one(spec, key) for key in ("a.png", "m.png", "z.png")}
    before = tree(tmp_path / "out")
    keys = ["a.png", *list(bad_files())[:3], "m.png", *list(bad_files())[3:], "gone", "z.png"]
    records = {outcome.record.image: outcome.record for outcome in process(spec, *keys)}
    assert {key: records[key] for key in alone} == alone
    assert {record.image for record in records.values() if record.status == "done"} == alone.keys()
    assert tree(tmp_path / "out") == before


def test_the_same_bundle_twice_changes_no_byte_and_no_time(tmp_path):
    spec = job(tmp_path, output={"palette": {"formats": ["json", "gpl"]}})
    keys = [plant(tmp_path / "in", f"{name}/x.png").relative_to(tmp_path / "in").as_posix() for name in "abc"]
    first = process(spec, *keys)
    before = tree(tmp_path / "out")
    assert process(spec, *reversed(keys)) == first[::-1]
    assert tree(tmp_path / "out") == before


def test_inputs_are_not_written(tmp_path):
    spec = job(tmp_path)
    plant(tmp_path / "in", "a.png")
    before = tree(tmp_path / "in")
    process(spec, "a.png", "gone.png")
    assert tree(tmp_path / "in") == before


def test_running_out_of_memory_is_the_images_failure(tmp_path, monkeypatch):
    def tight(*_):
        raise MemoryError

    spec = job(tmp_path)
    plant(tmp_path / "in", "a.png", noise(6, 7))
    monkeypatch.setattr(tasks, "fit_palette", tight)
    record = one(spec, "a.png")
    assert record.error.type == "TooMuchMemory"
    assert "compute.memory_per_worker" in record.error.message
    assert (record.input.width, record.input.sha256 is None) == (7, False)


def test_a_bug_is_the_images_failure_and_tells_its_place(tmp_path, monkeypatch):
    def faulty(*_):
        raise KeyError("odd")

    spec = job(tmp_path)
    plant(tmp_path / "in", "a.png")
    monkeypatch.setattr(tasks, "measure", faulty)
    record = one(spec, "a.png")
    assert record.error.type == "UnexpectedError"
    assert record.error.message.startswith("KeyError in faulty, line ")
    assert record.error.message.endswith(": 'odd'")


def test_an_interrupt_is_not_swallowed(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    spec = job(tmp_path)
    plant(tmp_path / "in", "a.png")
    monkeypatch.setattr(tasks, "measure", interrupt)
    with pytest.raises(KeyboardInterrupt):
        process(spec, "a.png")
    assert not [path for path in tree(tmp_path) if path.startswith("out/")]


def test_outputs_that_cannot_be_staged_are_the_images_failure(tmp_path):
    spec = job(tmp_path)
    plant(tmp_path / "in", "a/x.png")
    plant(tmp_path / "in", "b.png")
    (tmp_path / "out/labels").mkdir(parents=True)
    (tmp_path / "out/labels/a").write_bytes(b"in the way")
    first, second = (outcome.record for outcome in process(spec, "a/x.png", "b.png"))
    assert (first.error.type, first.outputs, second.status) == ("OutputNotWritable", {}, "done")
    assert first.input.width == 7
    assert not any("part" in path or "/a/" in path for path in tree(tmp_path / "out"))


def test_outputs_that_cannot_be_published_are_the_images_failure(tmp_path, monkeypatch):
    spec = job(tmp_path)
    for key in ("a.png", "b.png"):
        plant(tmp_path / "in", key)
    (tmp_path / "out/palettes/a.png.json").mkdir(parents=True)
    first, second = process(spec, "a.png", "b.png")
    assert (first.record.error.type, first.record.status) == ("OutputNotWritable", "failed")
    assert first.record.input.sha256 == first.state.sha256
    assert second.record.status == "done"


def test_alpha_is_kept_or_flattened_as_the_job_says(tmp_path):
    pixels = np.dstack([noise(6, 6), np.full((6, 6), 100, np.uint8)])
    for alpha, mode in (("preserve", "RGBA"), ("flatten", "P")):
        spec = job(tmp_path, quantize={"alpha": alpha})
        plant(tmp_path / "in", "a.png", pixels)
        record = one(spec, "a.png")
        with Image.open(tmp_path / "out" / record.outputs["quantized"].path) as image:
            assert image.mode == mode
        assert bool(record.notes) == (alpha == "flatten")


def test_more_labels_than_16_bits_hold_are_told_as_such(tmp_path, monkeypatch):
    codes = np.arange(65536)
    pixels = np.stack([codes >> 8, codes & 255, np.zeros(65536, int)], 1).astype(np.uint8)
    pixels = np.concatenate([pixels, pixels[:256]]).reshape(257, 256, 3)
    alpha = np.full((257, 256), 255, np.uint8)
    alpha[256] = 0
    spec = job(tmp_path, quantize={"colors": 65536, "init": "wu", "max_iter": 1})
    plant(tmp_path / "in", "a.png", np.dstack([pixels, alpha]))
    assert one(spec, "a.png").error.type != "UnexpectedError"


def test_the_record_of_an_empty_file_tells_its_size(tmp_path):
    spec = job(tmp_path)
    (tmp_path / "in/a.png").write_bytes(b"")
    record = one(spec, "a.png")
    assert record.error.type == "EmptyFile"
    assert record.input.bytes == 0


def test_every_failure_that_is_recorded_can_be_named(tmp_path):
    spec = job(tmp_path)
    (tmp_path / "in/link.png").symlink_to("nowhere")
    error = one(spec, "link.png").error
    assert isinstance(error, Failure)
    assert ImageError.named(error.type).__name__ == error.type


def test_a_foreign_file_is_told_as_such_by_a_process_that_has_just_started(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no image at all, but words")
    program = (
        "import sys, pathlib; from pipeline.errors import NotAnImage; from pipeline.files import images\n"
        "try: images.read_header(pathlib.Path(sys.argv[1]), ['png'], 100)\n"
        "except NotAnImage: print('told')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "a.png"], capture_output=True, text=True, check=False
    )
    assert done.stdout == "told\n"
