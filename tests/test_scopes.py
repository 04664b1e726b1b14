"""Shared palettes, on paper: who shares one, and who is done again when another comes, changes or goes."""

import msgspec
import pytest
from builders import digest, done, entry, failed
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.errors import OutputError
from pipeline.files.listing import Listing
from pipeline.jobs.manifest import Manifest
from pipeline.jobs.plan import Decision, Reason, Request, decide
from pipeline.jobs.records import OutputFacts
from pipeline.jobs.scopes import gather, group_name, members_digest, shared_path, was_counted

KEYS = ("a.png", "b.png", "d/c.png", "d/e.png")


class Disk:
    """A disk on which all is as recorded, but for what is given."""

    def __init__(self, inputs=None, sizes=None, contents=None, there=()):
        self._inputs = inputs or {}
        self._sizes = sizes or {}
        self._contents = contents or {}
        self._there = there

    def input_digest(self, entry):
        return self._inputs.get(entry.key, digest("content"))

    def input_exists(self, key):
        return key in self._there

    def output_size(self, path):
        return self._sizes.get(path, 5)

    def output_digest(self, path):
        if path in self._sizes:
            return "unreadable" if self._sizes[path] is None else digest("damaged")
        name = path.rpartition(".")[0]
        return self._contents.get(path, digest(f"palette of {name.removeprefix('shared/')}"))

    def old_recipe(self, digest):
        return None


def facts(key, scope="folder", palette=None):
    """Make the facts of the shared files of an image's group."""
    path = shared_path(group_name(key, scope))
    content = digest(palette or f"palette of {path.removeprefix('shared/')}")
    return {
        "shared": OutputFacts(f"{path}.json", 5, content),
        "shared_gpl": OutputFacts(f"{path}.gpl", 5, content),
    }


def member(key, scope="folder", palette=None, frozen=False, **options):
    """Make the record of an image that has the palette of its group."""
    record = done(key, **options)
    outputs = record.outputs | facts(key, scope, palette)
    return msgspec.structs.replace(record, outputs=outputs, frozen=frozen)


def consistent(records, scope):
    """Write into the records of each palette whose it is, as the run that found it does."""
    owners = {}
    for record in records:
        if record.shared and not record.frozen:
            group = group_name(record.image, scope), record.shared["shared"].sha256
            owners.setdefault(group, []).append(record.input.sha256)
    return [
        msgspec.structs.replace(
            record,
            members=members_digest(
                owners.get((group_name(record.image, scope), record.shared["shared"].sha256), [])
            ),
        )
        if record.shared
        else record
        for record in records
    ]


def judge(records, keys=KEYS, disk=None, scope="folder", freeze=False, unfinished=(), **request):
    """Decide and gather: reasons of the work by key, and the groups by name."""
    disk = disk or Disk()
    records = consistent(records, scope)
    manifest = Manifest({record.image: record for record in records}, set(unfinished), [], False)
    entries = [key if hasattr(key, "key") else entry(key) for key in keys]
    entries.sort(key=lambda entry: entry.key)
    listing = Listing("/in", entries, [], {})
    asked = Request({}, "now", freeze=freeze, **request)
    plan = decide(listing, manifest, asked, disk)
    found, groups = gather(plan, manifest, scope, asked, disk)
    assert [one.entry for one in found.decisions] == [one.entry for one in plan.decisions]
    assert found.orphans == plan.orphans
    assert all(group.work for group in groups)
    gathered = [decision for group in groups for decision in group.work]
    assert sorted(one.entry.key for one in gathered) == [one.entry.key for one in found.work]
    return {one.entry.key: str(one) for one in found.work}, {group.name: group for group in groups}


def members(**options):
    return [member(key, **options) for key in KEYS]


def replaced(key, record):
    """The members, one of whose records is another (None: it has none)."""
    kept = [one for one in members() if one.image != key]
    return kept if record is None else [*kept, record]


def test_groups_and_their_palettes():
    assert [group_name(key, "folder") for key in ("a", "d/a", "d/e/a")] == ["", "d", "d/e"]
    assert {group_name(key, "job") for key in ("a", "d/a", "d/e/a")} == {""}
    assert (shared_path(""), shared_path("d/e")) == ("shared/palette", "shared/d/e/palette")


@pytest.mark.parametrize("freeze", [False, True])
@pytest.mark.parametrize("scope", ["folder", "job"])
def test_at_rest(scope, freeze):
    assert judge(members(scope=scope), scope=scope, freeze=freeze) == ({}, {})


@pytest.mark.parametrize("freeze", [False, True])
def test_the_first_time_all_are_new_and_no_palette_is_there(freeze):
    work, groups = judge([], freeze=freeze)
    assert work == dict.fromkeys(KEYS, "new")
    assert {name: group.files for name, group in groups.items()} == {"": {}, "d": {}}


def test_a_new_image_has_the_palette_found_anew_for_its_folder_alone():
    work, groups = judge(members(), keys=(*KEYS, "d/n.png"))
    told = "palette changed (d/n.png: new)"
    assert work == {"d/c.png": told, "d/e.png": told, "d/n.png": "new"}
    assert groups.keys() == {"d"}
    assert groups["d"].files == {}


def test_a_folder_below_is_another_group():
    work, _ = judge(members(), keys=(*KEYS, "d/d/n.png"))
    assert work == {"d/d/n.png": "new"}


def test_a_new_image_has_the_palette_found_anew_for_the_whole_job():
    work, groups = judge(members(scope="job"), keys=(*KEYS, "d/n.png"), scope="job")
    assert work == dict.fromkeys(KEYS, "palette changed (d/n.png: new)") | {"d/n.png": "new"}
    assert groups.keys() == {""}


CHANGES = {
    "content": ({"disk": Disk(inputs={"d/c.png": digest("other")})}, "input changed"),
    "size": ({"keys": [entry("d/c.png", 11), *[key for key in KEYS if key != "d/c.png"]]}, "input changed"),
    "recipe": ({"records": replaced("d/c.png", member("d/c.png", recipe="old"))}, "recipe changed"),
    "no record": ({"records": replaced("d/c.png", None)}, "new"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_image_has_the_palette_found_anew(change):
    options, reason = CHANGES[change]
    work, groups = judge(**({"records": members()} | options))
    assert work.keys() == {"d/c.png", "d/e.png"}
    assert work["d/c.png"].startswith(reason)
    assert work["d/e.png"] == f"palette changed (d/c.png: {reason})"
    assert groups["d"].files == {}


def test_an_image_that_has_gone_has_the_palette_found_anew():
    work, groups = judge(members(), keys=("a.png", "b.png", "d/c.png"))
    assert work == {"d/c.png": "palette changed (d/e.png: input has gone)"}
    assert groups["d"].files == {}
    work, _ = judge(members(), keys=("a.png", "b.png", "d/c.png"), disk=Disk(there=("d/e.png",)))
    assert work == {"d/c.png": "palette changed (d/e.png: left out by the job's patterns)"}


def test_an_image_that_has_gone_is_not_missed_once_the_palette_is_another():
    records = [member("a.png"), member("b.png", palette="an older one")]
    assert judge(records, keys=("a.png",)) == ({}, {})


def test_images_that_have_gone_all_of_them_are_nobodys_work():
    assert judge(members(), keys=("a.png", "b.png")) == ({}, {})


def test_an_image_that_goes_on_failing_is_left_alone_and_so_are_the_others():
    assert judge(replaced("d/c.png", failed("d/c.png"))) == ({}, {})
    assert judge([*members(), failed("gone.png")]) == ({}, {})


def test_a_failure_that_is_tried_again_does_not_have_all_counted_again():
    work, groups = judge(replaced("d/c.png", failed("d/c.png", kind="VanishedFile")))
    assert work == {"d/c.png": "failed before (VanishedFile)"}
    assert groups["d"].files == facts("d/c.png")
    work, _ = judge(replaced("d/c.png", failed("d/c.png")), retry_failed=True)
    assert work == {"d/c.png": "failed before (TruncatedImage)"}


def test_a_member_that_is_new_as_a_failure_has_gone_from_the_palette():
    """It was counted when it was sound; now its bytes are others."""
    work, _ = judge(members(), disk=Disk(inputs={"d/c.png": digest("broken")}))
    assert work["d/e.png"] == "palette changed (d/c.png: input changed)"


@pytest.mark.parametrize("freeze", [False, True])
@pytest.mark.parametrize("size", [None, 4])
def test_a_missing_or_damaged_output_is_painted_again_in_the_same_palette(size, freeze):
    work, groups = judge(members(), disk=Disk(sizes={"labels/d/c.png.x": size}), freeze=freeze)
    assert work.keys() == {"d/c.png"}
    assert groups["d"].files == facts("d/c.png")


@pytest.mark.parametrize("ending", ["json", "gpl"])
@pytest.mark.parametrize("size", [None, 4])
def test_a_shared_file_that_is_missing_or_damaged_is_made_anew(ending, size):
    work, groups = judge(members(), disk=Disk(sizes={f"shared/d/palette.{ending}": size}))
    assert work.keys() == {"d/c.png", "d/e.png"}
    assert groups["d"].files == {}


@pytest.mark.parametrize("ending", ["json", "gpl"])
def test_a_shared_file_that_is_missing_is_seen_behind_another_that_is(ending):
    """A decision tells only the first of what is missing."""
    sizes = {"labels/d/c.png.x": None, f"shared/d/palette.{ending}": None}
    work, groups = judge([member("d/c.png")], keys=("d/c.png",), disk=Disk(sizes=sizes))
    assert work.keys() == {"d/c.png"}
    assert groups["d"].files == {}


def test_a_palette_that_is_not_the_recorded_one_is_not_painted_in():
    disk = Disk(sizes={"labels/d/c.png.x": None}, contents={"shared/d/palette.json": digest("forged")})
    work, groups = judge(members(), disk=disk)
    assert groups["d"].files == {}
    assert work["d/e.png"] == "palette changed (no palette is there)"


def test_a_damaged_palette_of_the_same_size_is_seen_if_outputs_are_checked():
    contents = {
        f"{kind}/{key}.x": digest(f"{kind} of {key}")
        for key in KEYS
        for kind in ("quantized", "labels", "palettes")
    }
    assert judge(members(), disk=Disk(contents=contents), check_outputs=True) == ({}, {})
    disk = Disk(contents=contents | {"shared/palette.json": digest("damaged")})
    work, groups = judge(members(), disk=disk, check_outputs=True)
    assert work.keys() == {"a.png", "b.png"}
    assert groups[""].files == {}


def test_interrupted_images_are_painted_if_the_palette_is_theirs():
    work, groups = judge(members(), unfinished=("d/c.png",))
    assert work.keys() == {"d/c.png"}
    assert groups["d"].files == facts("d/c.png")


def test_interrupted_while_the_palette_was_replaced():
    disk = Disk(contents={"shared/d/palette.json": digest("the next one")})
    work, groups = judge(members(), unfinished=("d/c.png", "d/e.png"), disk=disk)
    assert {reason.partition(" (")[0] for reason in work.values()} == {"interrupted before"}
    assert groups["d"].files == {}


def test_interrupted_while_some_had_the_next_palette():
    records = replaced("d/c.png", member("d/c.png", palette="the next one"))
    disk = Disk(contents={"shared/d/palette.json": digest("the next one")})
    work, groups = judge(records, unfinished=("d/e.png",), disk=disk)
    assert work["d/c.png"] == "palette changed (an earlier run ended before all images had it)"
    assert groups["d"].files == {}


@pytest.mark.parametrize("why", ["missing", "interrupted"])
def test_another_reason_does_not_hide_that_the_content_has_changed(why):
    """What is missing is seen before the input is compared; yet the palette was found for the old one."""
    sizes = {"labels/d/c.png.x": None} if why == "missing" else {}
    disk = Disk(inputs={"d/c.png": digest("other")}, sizes=sizes)
    unfinished = ("d/c.png",) if why == "interrupted" else ()
    work, groups = judge(members(), disk=disk, unfinished=unfinished)
    assert work.keys() == {"d/c.png", "d/e.png"}
    assert groups["d"].files == {}


def test_an_interrupted_run_does_not_hide_that_the_recipe_has_changed():
    """It ended before it had replaced the palette of the recipe before."""
    records = [member(key, recipe="old") for key in KEYS]
    work, groups = judge(records, unfinished=KEYS)
    assert work.keys() == set(KEYS)
    assert all(group.files == {} for group in groups.values())


def test_force_has_the_palette_found_anew():
    work, groups = judge(members(), force=True)
    assert set(work.values()) == {"forced"}
    assert all(group.files == {} for group in groups.values())


FROZEN = {"keys": (*KEYS, "d/n.png"), "freeze": True}


def test_frozen_palettes_stay_when_images_come():
    work, groups = judge(members(), **FROZEN)
    assert work == {"d/n.png": "new"}
    assert groups["d"].files == facts("d/n.png")


def test_frozen_palettes_stay_when_images_change():
    work, groups = judge(members(), freeze=True, disk=Disk(inputs={"d/c.png": digest("other")}))
    assert work.keys() == {"d/c.png"}
    assert groups["d"].files == facts("d/c.png")


def test_frozen_palettes_stay_when_images_go():
    assert judge(members(), keys=("a.png", "b.png", "d/c.png"), freeze=True) == ({}, {})


def test_frozen_palettes_stay_when_images_go_and_others_come():
    work, groups = judge(members(), keys=("a.png", "b.png", "d/c.png", "d/n.png"), freeze=True)
    assert work == {"d/n.png": "new"}
    assert groups["d"].files == facts("d/n.png")


@pytest.mark.parametrize("sizes", [{"shared/d/palette.json": None}, {"shared/d/palette.json": 4}])
def test_a_frozen_palette_that_is_lost_is_not_replaced_by_another(sizes):
    disk = Disk(sizes=sizes, contents=dict.fromkeys(sizes, "unreadable"))
    with pytest.raises(
        OutputError, match=r"shared/d/palette.json: expected the palette that quantize.freeze"
    ):
        judge(members(), **FROZEN, disk=disk)
    work, groups = judge(members(), freeze=True, disk=disk)  # nobody else is there: it will be the same
    assert work.keys() == {"d/c.png", "d/e.png"}
    assert groups["d"].files == {}


def test_a_frozen_palette_outlives_its_images():
    work, groups = judge(members(), keys=("a.png", "b.png", "d/n.png"), freeze=True)
    assert work == {"d/n.png": "new"}
    assert groups["d"].files == facts("d/n.png")


def test_images_that_were_not_counted_rest_while_it_is_frozen():
    records = [*members(), member("d/n.png", frozen=True)]
    assert judge(records, **FROZEN) == ({}, {})


def test_what_was_not_counted_is_counted_when_the_palette_thaws():
    records = [*members(), member("d/n.png", frozen=True)]
    work, groups = judge(records, keys=(*KEYS, "d/n.png"))
    told = "palette changed (d/n.png: was not counted for it)"
    assert work == {"d/c.png": told, "d/e.png": told, "d/n.png": told}
    assert groups["d"].files == {}


def test_an_image_that_was_not_counted_may_go():
    records = [*members(), member("d/n.png", frozen=True)]
    assert judge(records) == ({}, {})


COUNTED = {
    Reason.OUTPUT_MISSING: True,
    Reason.OUTPUT_DAMAGED: True,
    Reason.INTERRUPTED: True,
    Reason.NEW: False,
    Reason.INPUT_CHANGED: False,
    Reason.RECIPE_CHANGED: False,
    Reason.FAILED_BEFORE: False,
}


@pytest.mark.parametrize("reason", COUNTED)
def test_who_was_counted_for_a_palette_that_stays(reason):
    decision = Decision(entry("d/c.png"), True, reason)
    assert was_counted(decision, member("d/c.png")) is COUNTED[reason]
    assert not was_counted(decision, member("d/c.png", frozen=True))
    assert not was_counted(decision, None)


STATES = ["kept", "new", "changed", "failed", "retried", "missing", "interrupted", "gone", "frozen", "older"]


def world(states):
    """A manifest and a disk on which each image has come to such a state."""
    records, keys, inputs, sizes, unfinished = [], [], {}, {}, []
    for key, state in states.items():
        if state != "gone":
            keys.append(key)
        if state in ("failed", "retried"):
            records.append(failed(key, kind="VanishedFile" if state == "retried" else "NotAnImage"))
        elif state != "new":
            palette = "an older one" if state == "older" else None
            records.append(member(key, frozen=state == "frozen", palette=palette))
        if state == "changed":
            inputs[key] = digest("other")
        if state == "missing":
            sizes[f"labels/{key}.x"] = None
        if state == "interrupted":
            unfinished.append(key)
    return {"records": records, "keys": keys, "disk": Disk(inputs, sizes), "unfinished": unfinished}


PLACES = ("a", "b", "c", "d/e", "d/f", "g/h")


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries({key: st.sampled_from(STATES) for key in PLACES}), st.booleans())
def test_all_share_one_palette_or_none_of_them_is_touched_for_it(states, freeze):
    try:
        work, groups = judge(**world(states), freeze=freeze)
    except OutputError:  # what is to stay is there no more
        assert freeze
        assert "older" in states.values()
        return
    for name in {group_name(key, "folder") for key in states}:
        here = {key: state for key, state in states.items() if group_name(key, "folder") == name}
        sound = [key for key, state in here.items() if state in ("kept", "frozen", "older")]
        touched = [key for key in sound if key in work]
        other = [key for key in sound if here[key] == "older"]  # left behind with another palette
        assert touched in ([], other, sound)
        assert all(work[key].startswith("palette changed (") for key in touched)
        busy = [
            key
            for key, state in here.items()
            if state in ("new", "changed", "retried", "missing", "interrupted")
        ]
        assert all(key in work for key in busy)
        assert not any(here[key] == "failed" for key in here if key in work)
        if name not in groups:
            assert not [key for key in here if key in work]
        elif groups[name].files:
            assert touched == other
        elif sound:
            assert touched == sound


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries({key: st.sampled_from(STATES) for key in PLACES}))
def test_a_palette_stays_only_if_it_is_that_of_the_images_that_are_there(states):
    """Not frozen: who comes, changes, goes, or was not counted, has it found anew."""
    _, groups = judge(**world(states))
    for name in {group_name(key, "folder") for key in states}:
        here = [state for key, state in states.items() if group_name(key, "folder") == name]
        left = [state for state in here if state in ("kept", "missing", "interrupted")]
        if {"new", "changed"} & set(here) or ("frozen" in here and left) or ("gone" in here and left):
            assert not groups[name].files
            assert name in groups


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries({key: st.sampled_from(STATES) for key in PLACES}))
def test_a_frozen_palette_that_is_there_always_stays(states):
    assume("older" not in states.values())
    _, groups = judge(**world(states), freeze=True)
    for name, group in groups.items():
        here = [state for key, state in states.items() if group_name(key, "folder") == name]
        if {"kept", "changed", "missing", "interrupted", "frozen"} & set(here):
            assert group.files
