"""A look at both trees of a job, and the plan that follows. It writes nothing."""

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.errors import InputError, OutputError, SpecError
from pipeline.files.kinds import told_kinds
from pipeline.files.listing import Listing, list_inputs
from pipeline.files.objects import Place
from pipeline.files.patterns import Patterns
from pipeline.jobs.clashes import without_clashes
from pipeline.jobs.evidence import Evidence
from pipeline.jobs.ledger import load_manifest
from pipeline.jobs.manifest import NAME, Manifest
from pipeline.jobs.plan import Plan, Request, decide
from pipeline.jobs.recipe import recipe, recipe_digest
from pipeline.jobs.routes import Route, choose_routes
from pipeline.jobs.scopes import Group, Scope, gather, group_name
from pipeline.jobs.shards import Shard
from pipeline.jobs.spec import JobSpec
from pipeline.jobs.tapes import stamp_of
from pipeline.jobs.tree import Tree, tree_of


@dataclass(frozen=True)
class Options:
    """What the command line asks of a run beyond the job file.

    only : patterns of the images to look at; none means all. force : do them whatever their
    state. retry_failed : also those that must fail again. check_outputs : compare outputs by
    content, not by size alone. shard : look at the images of this shard alone.
    """

    only: tuple[str, ...] = ()
    force: bool = False
    retry_failed: bool = False
    check_outputs: bool = False
    shard: Shard | None = None


@dataclass(frozen=True)
class Survey:
    """The state of a job's trees, and the plan. `groups`: who has work and shares a palette, if any do."""

    tree: Tree
    listing: Listing
    manifest: Manifest
    evidence: Evidence
    request: Request
    plan: Plan
    routes: list[Route]
    groups: list[Group]
    seen: tuple[object, ...]

    def outdated(self) -> bool:
        """Whether another run has changed the manifest or the journal since."""
        return self.seen != _state_of(self.tree)

    def unsettled(self) -> set[str]:
        """The images that are to be done, now or, as they were not asked for, perhaps later.

        What a killed run was at may have been done since by a shard, or whole, and is not among them.
        """
        settled = {decision.entry.key for decision in self.plan.decisions if not decision.work}
        return {entry.key for entry in self.listing.entries} - settled


def survey(spec: JobSpec, options: Options, started: int) -> Survey:
    """Look at a job's trees and plan.

    started : the run's start, in ns since 1970; a file changed since is not trusted by its stat.

    Raises InputError if the input root cannot be read or has no image for this job, OutputError
    if the manifest cannot be read, SpecError if shards are asked of a job that cannot be parted.
    """
    shard = options.shard
    tree = tree_of(spec, shard)
    if shard is not None and spec.quantize.scope != "image":
        raise SpecError(
            f"--shard {shard}: expected a job whose images have palettes of their own, found quantize.scope: "
            f"{spec.quantize.scope}, where one palette is found for images of all shards; run it whole"
        )
    listing = without_clashes(
        list_inputs(tree.inputs, spec.input.include, spec.input.exclude, spec.input.follow_symlinks)
    )
    seen = _state_of(tree)
    manifest = load_manifest(tree)
    scope = spec.quantize.scope
    wanted = _wanted(options.only, listing, scope)
    if not any(wanted(entry.key) for entry in listing.entries):
        raise InputError(_nothing_found(tree, listing, options))
    if shard is not None:  # after all were looked at: clashes of names are between shards, too
        listing = listing._replace(entries=[entry for entry in listing.entries if shard.holds(entry.key)])
    content = recipe(spec)
    request = Request(
        recipe=content,
        digest=recipe_digest(content),
        wanted=wanted,
        force=options.force,
        retry_failed=options.retry_failed,
        check_outputs=options.check_outputs,
        skip_unsupported=spec.input.on_unsupported == "skip",
        freeze=spec.quantize.freeze,
        formats=tuple(spec.input.formats),
        max_pixels=spec.input.max_pixels,
    )
    evidence = Evidence(tree.inputs, tree.outputs, tree.state, started, tree.base)
    if not options.force:
        evidence.hash_ahead(request.to_compare(listing, manifest))
    decided = decide(listing, manifest, request, evidence)
    plan, routed = choose_routes(spec, tree.inputs, decided, manifest, request)
    groups: list[Group] = []
    if scope != "image":
        alone = {decision.entry.key for decision in plan.work}
        plan, groups = gather(plan, manifest, scope, request, evidence)
        joining = [decision for decision in plan.work if decision.entry.key not in alone]
        routed += choose_routes(spec, tree.inputs, Plan(joining, []), manifest, request)[1]
    return Survey(tree, listing, manifest, evidence, request, plan, routed, groups, seen)


def _state_of(tree: Tree) -> tuple[object, ...]:
    """What tells one state of the records from another."""
    books = [tree.whole, *([tree] if tree.shard else tree.parts)]
    return tuple(stamp for book in books for stamp in (_stamp(book.book / NAME), _stamp(book.journal)))


def _stamp(path: Place) -> object:
    try:
        return stamp_of(path)
    except OSError as error:
        raise OutputError(
            f"output root {path.parent}: expected a readable folder, found: {error.strerror}; "
            "check its permissions"
        ) from error


def _wanted(only: tuple[str, ...], listing: Listing, scope: Scope) -> Callable[[str], bool]:
    """Whether an image is asked for; who shares a palette with one that is, is too."""
    if not only:
        return lambda key: True
    chosen = Patterns(only, ())

    def matches(key: str) -> bool:
        return chosen.takes(key, key.rpartition("/")[2])

    if scope == "image":
        return matches
    names = {group_name(entry.key, scope) for entry in listing.entries if matches(entry.key)}
    return lambda key: group_name(key, scope) in names


def _nothing_found(tree: Tree, listing: Listing, options: Options) -> str:
    if listing.entries:
        return (
            f"--only {' '.join(options.only)}: none of the {len(listing.entries)} images below {tree.inputs} "
            f"matches; the first is {listing.entries[0].key!r}; give a pattern such as '*.png' or 'cats/**'"
        )
    others = f" (but {told_kinds(listing.others)})" if listing.others else ""
    passed = f" ({len(listing.skipped)} links or folders were passed over)" if listing.skipped else ""
    return (
        f"input root {tree.inputs}: expected image files that the job includes, found none{others}{passed}; "
        "check input.root, input.include and input.exclude in the job file"
    )
