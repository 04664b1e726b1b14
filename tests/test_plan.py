"""The plan: every verdict with its reason, in the right order, and no question too many."""

from collections import Counter

import pytest
from builders import digest, done, entry, failed
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import BrokenLink, ImageError, UnreadableFile, UnsupportedImage
from pipeline.files.listing import Listing, Skipped
from pipeline.jobs.manifest import Manifest
from pipeline.jobs.plan import Decision, Plan, Reason, Request, decide, summarize
from pipeline.jobs.records import InputFacts

LASTING = [
    "EmptyFile",
    "NotAnImage",
    "TruncatedImage",
    "DamagedImage",
    "NothingVisible",
    "WorkerKilled",
    "TimedOut",
]
PASSING = ["TooManyPixels", "TooMuchMemory", "UnreadableFile", "VanishedFile", "ChangedWhileReading"]
PASSING += ["OutputNotWritable", "UnexpectedError", "BrokenLink", "AnErrorOfALaterVersion"]
RECIPE = {"algorithm": 1, "quantize.colors": 16, "quantize.seed": 0}


class Disk:
    """A disk on which all is as recorded, but for what is given; it counts what it is asked."""

    def __init__(self, inputs=None, sizes=None, contents=None, recipes=None, there=()):
        self.asked = Counter()
        self._inputs = inputs or {}
        self._sizes = sizes or {}
        self._contents = contents or {}
        self._recipes = recipes or {}
        self._there = there

    def input_digest(self, entry):
        self.asked["input_digest"] += 1
        return self._inputs.get(entry.key, digest("content"))

    def input_exists(self, key):
        self.asked["input_exists"] += 1
        return key in self._there

    def output_size(self, path):
        self.asked["output_size"] += 1
        return self._sizes.get(path, 5)

    def output_digest(self, path):
        self.asked["output_digest"] += 1
        kind, _, name = path.partition("/")
        return self._contents.get(path, digest(f"{kind} of {name.removesuffix('.x')}"))

    def old_recipe(self, digest):
        self.asked["old_recipe"] += 1
        return self._recipes.get(digest)


def manifest(*records, unfinished=()):
    return Manifest({record.image: record for record in records}, set(unfinished), [], False)


def listing(*entries, skipped=()):
    return Listing("/in", list(entries), [Skipped(path, "unreadable") for path in skipped], {})


def request(**given):
    return Request(**({"recipe": RECIPE, "digest": "now"} | given))


def verdict(*records, of=None, disk=None, unfinished=(), **given):
    """Decide on the one image "a"; give whether there is work, and the reason in words."""
    found = decide(
        listing(of or entry("a")),
        manifest(*records, unfinished=unfinished),
        request(**given),
        disk or Disk(),
    )
    [decision] = found.decisions
    return decision.work, str(decision)


def test_an_image_without_a_record_is_new():
    disk = Disk()
    assert verdict(disk=disk) == (True, "new")
    assert not disk.asked


def test_an_unchanged_image_costs_its_digest_and_the_sizes_of_its_outputs_and_nothing_else():
    disk = Disk()
    assert verdict(done("a"), disk=disk) == (False, "unchanged")
    assert disk.asked == {"input_digest": 1, "output_size": 3}


def test_checking_outputs_costs_their_digests_too():
    disk = Disk()
    assert verdict(done("a"), disk=disk, check_outputs=True) == (False, "unchanged")
    assert disk.asked == {"input_digest": 1, "output_size": 3, "output_digest": 3}


@pytest.mark.parametrize(
    ("most", "expected"),
    [(42, (False, "unchanged")), (41, (True, "recipe changed (input.max_megapixels: 4.2e-05 > 4.1e-05)"))],
)
def test_an_image_with_just_as_many_pixels_as_are_admitted_stays(most, expected):
    assert verdict(done("a"), max_pixels=most) == expected


def test_another_size_is_a_changed_input_and_nothing_is_read():
    disk = Disk()
    found = verdict(done("a"), of=entry("a", 11), disk=disk)
    assert found == (True, "input changed (bytes: 10 → 11)")
    assert not disk.asked


def test_another_content_is_a_changed_input():
    found = verdict(done("a"), disk=Disk(inputs={"a": digest("other")}))
    assert found == (True, f"input changed (sha256: {digest('content')[:12]} → {digest('other')[:12]})")


def test_an_input_that_cannot_be_read_any_more_has_changed():
    found = verdict(done("a"), disk=Disk(inputs={"a": UnreadableFile("a")}))
    assert found == (True, "input changed (now UnreadableFile)")


def test_a_record_without_an_input_is_done_anew():
    assert verdict(type(done("a"))("a", "done", "now")) == (
        True,
        "input changed (bytes: unknown → 10)",
    )
    bare = type(done("a"))("a", "done", "now", InputFacts(10))
    assert verdict(bare) == (True, f"input changed (sha256: unknown → {digest('content')[:12]})")


@pytest.mark.parametrize(
    ("old", "words"),
    [
        (RECIPE | {"quantize.colors": 32}, "recipe changed (quantize.colors: 32 → 16)"),
        (
            RECIPE | {"quantize.colors": 32, "quantize.seed": 1},
            "recipe changed (quantize.colors: 32 → 16, quantize.seed: 1 → 0)",
        ),
        (
            {"algorithm": 1, "quantize.colors": 16, "quantize.dither": True},
            "recipe changed (quantize.dither: True → –, quantize.seed: – → 0)",
        ),
        (RECIPE | {"algorithm": 0}, "algorithm changed (algorithm: 0 → 1)"),
        (
            RECIPE | {"algorithm": 0, "quantize.colors": 2},
            "recipe changed (algorithm: 0 → 1, quantize.colors: 2 → 16)",
        ),
        (None, "recipe changed (then → now)"),
    ],
)
def test_a_changed_recipe_is_told_key_by_key(old, words):
    disk = Disk(recipes={"then": old})
    assert verdict(done("a", recipe="then"), disk=disk) == (True, words)
    assert verdict(failed("a", recipe="then"), disk=disk) == (True, words)
    assert disk.asked == {"old_recipe": 2}


def test_a_missing_output_is_named():
    found = verdict(done("a"), disk=Disk(sizes={"labels/a.x": None}))
    assert found == (True, "output missing (labels/a.x)")


def test_an_output_of_another_size_is_damaged():
    found = verdict(done("a"), disk=Disk(sizes={"labels/a.x": 4}))
    assert found == (True, "output damaged (labels/a.x, bytes: 5 → 4)")


def test_an_output_of_another_content_is_damaged_if_contents_are_checked():
    disk = Disk(contents={"palettes/a.x": digest("rot")})
    assert verdict(done("a"), disk=disk) == (False, "unchanged")
    old, new = digest("palettes of a")[:12], digest("rot")[:12]
    expected = (True, f"output damaged (palettes/a.x, sha256: {old} → {new})")
    assert verdict(done("a"), disk=disk, check_outputs=True) == expected


def test_an_output_that_cannot_be_read_is_told_in_whole_words():
    disk = Disk(contents={"palettes/a.x": "unreadable (Permission denied)"})
    assert verdict(done("a"), disk=disk, check_outputs=True)[1].endswith("→ unreadable (Permission denied))")


def test_an_image_whose_outputs_were_being_replaced_is_done_anew():
    found = verdict(done("a"), unfinished=["a"])
    assert found == (True, "interrupted before (a run ended while it replaced the outputs)")
    assert verdict(unfinished=["a"]) == (True, "new")


def test_force_does_every_image_and_asks_nothing():
    disk = Disk()
    assert verdict(done("a"), disk=disk, force=True) == (True, "forced")
    assert verdict(failed("a"), disk=disk, force=True) == (True, "forced")
    assert verdict(disk=disk, force=True) == (True, "new")
    assert not disk.asked


@pytest.mark.parametrize("kind", LASTING)
def test_a_lasting_failure_is_left_alone_until_something_changes(kind):
    record = failed("a", kind)
    assert verdict(record) == (False, f"failed before ({kind})")
    assert verdict(record, retry_failed=True) == (True, f"failed before ({kind})")
    assert verdict(record, of=entry("a", 11))[0]
    assert verdict(record, disk=Disk(inputs={"a": digest("other")}))[0]
    assert verdict(record, disk=Disk(inputs={"a": UnreadableFile("")}))[0]
    assert verdict(failed("a", kind, recipe="then"))[0]


@pytest.mark.parametrize("kind", PASSING)
def test_a_passing_failure_is_tried_again_and_nothing_is_read_for_that(kind):
    disk = Disk()
    assert verdict(failed("a", kind), disk=disk) == (True, f"failed before ({kind})")
    assert not disk.asked


@pytest.mark.parametrize("kind", ["NotAnImage", "UnsupportedImage"])
def test_unsupported_files_are_looked_at_again_when_the_job_counts_them_otherwise(kind):
    skipped, refused = failed("a", kind, status="skipped"), failed("a", kind)
    assert verdict(skipped, skip_unsupported=True) == (False, f"failed before ({kind})")
    assert verdict(refused) == (False, f"failed before ({kind})")
    assert verdict(skipped)[0]
    assert verdict(refused, skip_unsupported=True)[0]


def test_other_failures_do_not_hang_on_how_unsupported_files_count():
    assert verdict(failed("a"), skip_unsupported=True) == (False, "failed before (TruncatedImage)")


def test_a_failure_without_a_word_is_tried_again():
    assert verdict(type(done("a"))("a", "failed", "now")) == (True, "failed before (unknown)")


def test_an_entry_that_cannot_be_opened_is_recorded_once():
    error = BrokenLink("a: leads nowhere")
    same = failed("a", "BrokenLink", message=str(error))
    assert verdict(of=entry("a", 0, error)) == (True, "new")
    assert verdict(same, of=entry("a", 0, error)) == (False, "failed before (BrokenLink)")
    assert verdict(same, of=entry("a", 0, BrokenLink("a: elsewhere")))[0]
    assert verdict(done("a"), of=entry("a", 0, error))[0]


def test_an_image_that_was_done_and_cannot_be_opened_now_has_changed():
    found = verdict(done("a"), of=entry("a", 0, BrokenLink("a: leads nowhere")))
    assert found == (True, "input changed (now BrokenLink)")


def test_an_entry_that_cannot_be_opened_is_recorded_under_the_recipe_of_now():
    error = BrokenLink("a: leads nowhere")
    assert verdict(failed("a", "BrokenLink", recipe="then", message=str(error)), of=entry("a", 0, error))[0]


FINDINGS = [
    ("interrupted", {"unfinished": ["a"]}),
    ("recipe changed", {"recipe": "then"}),
    ("input changed (bytes", {"of": entry("a", 11)}),
    ("output missing", {"sizes": {"quantized/a.x": None}}),
    ("output damaged (labels/a.x, bytes", {"sizes": {"labels/a.x": 1}}),
    ("input changed (sha256", {"inputs": {"a": "0" * 64}}),
    ("output damaged (palettes/a.x, sha256", {"contents": {"palettes/a.x": "0" * 64}}),
    ("unchanged", {}),
]


@given(st.sets(st.sampled_from(range(len(FINDINGS)))))
@settings(max_examples=100, deadline=None)
def test_of_several_reasons_the_first_is_told(chosen):
    """The order is that of the list: what is cheaper to find out comes first."""
    disk = {"sizes": {}, "inputs": {}, "contents": {}}
    rest = {"of": entry("a"), "unfinished": (), "recipe": "now"}
    for place in chosen:
        for name, value in FINDINGS[place][1].items():
            if name in disk:
                disk[name] |= value
            else:
                rest[name] = value
    record = done("a", recipe=rest.pop("recipe"))
    expected = FINDINGS[min([*chosen, len(FINDINGS) - 1])][0]
    work, words = verdict(record, disk=Disk(**disk), check_outputs=True, **rest)
    assert words.startswith(expected)
    assert work == (expected != "unchanged")


def test_only_what_is_wanted_is_decided_on_and_read():
    disk = Disk()
    asked = request(wanted=lambda key: key == "b")
    found = decide(listing(entry("a"), entry("b")), manifest(done("a"), done("b")), asked, disk)
    assert [decision.entry.key for decision in found.decisions] == ["b"]
    assert found.orphans == []
    assert disk.asked["input_digest"] == 1


def test_images_to_compare_are_those_that_only_their_content_can_tell():
    entries = [entry(key) for key in ("done", "failed", "then", "unread", "new", "unwanted")]
    unread = failed("unread")
    unread = type(unread)("unread", "failed", "now", InputFacts(10), error=unread.error)
    records = [done("done"), failed("failed"), done("then", recipe="then"), unread, done("unwanted")]
    asked = request(wanted=lambda key: key != "unwanted")
    found = asked.to_compare(listing(*entries, entry("longer", 11)), manifest(*records, done("longer")))
    assert [entry.key for entry in found] == ["done", "failed"]


def test_recorded_images_that_are_not_listed_are_orphans_with_a_reason():
    disk = Disk(there={"there"})
    found = decide(listing(entry("a")), manifest(done("gone"), done("a"), failed("there")), request(), disk)
    assert [(orphan.record.image, orphan.why) for orphan in found.orphans] == [
        ("gone", "input has gone"),
        ("there", "left out by the job's patterns"),
    ]
    assert disk.asked["input_exists"] == 2


def test_images_below_a_folder_that_cannot_be_read_are_no_orphans():
    keys = ["dark/a", "dark/deep/b", "darker/c", "dark.png", "light/dark/d"]
    found = decide(listing(skipped=["dark"]), manifest(*map(done, keys)), request(), Disk())
    assert [orphan.record.image for orphan in found.orphans] == ["dark.png", "darker/c", "light/dark/d"]


def test_a_file_that_could_not_be_looked_at_is_no_orphan():
    assert not decide(listing(skipped=["a"]), manifest(done("a")), request(), Disk()).orphans


@given(st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["done", "failed", "new"]), min_size=1))
@settings(max_examples=40, deadline=None)
def test_every_listed_image_gets_one_decision_in_order_and_the_numbers_add_up(states):
    entries = [entry(key) for key in sorted(states)]
    records = [
        {"done": done, "failed": failed}[state](key) for key, state in states.items() if state != "new"
    ]
    found = decide(listing(*entries), manifest(*records), request(), Disk())
    assert [decision.entry for decision in found.decisions] == entries
    assert {decision.entry.key for decision in found.work} == {
        k for k, state in states.items() if state == "new"
    }
    counts = summarize(found.decisions)
    assert sum(counts.values()) == len(entries)
    assert list(counts) == [str(reason) for reason in Reason if str(reason) in counts]
    assert all(counts.values())


def test_a_decision_is_shown_with_its_detail_if_it_has_one():
    assert str(Decision(entry("a"), True, Reason.NEW)) == "new"
    assert str(Decision(entry("a"), True, Reason.OUTPUT_MISSING, "x")) == "output missing (x)"


def test_an_empty_plan_has_no_work():
    assert Plan([], []).work == []
    assert summarize([]) == {}


def test_every_error_of_this_version_is_lasting_or_passing_here():
    kinds = {kind.__name__: kind.lasting for kind in ImageError.__subclasses__()}
    assert {name for name, lasting in kinds.items() if lasting} == {*LASTING, UnsupportedImage.__name__}
    assert {name for name, lasting in kinds.items() if not lasting} == {
        *PASSING[:-1],
        "UnusableName",
        "UnlistedFormat",
    }
