"""The job spec: what one run shall do, read from a YAML file and checked as a whole."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from pipeline.errors import SpecError
from pipeline.jobs.spec_compute import Compute
from pipeline.jobs.spec_diagnosis import diagnose
from pipeline.jobs.spec_files import SUFFIXES, text_of
from pipeline.jobs.spec_mistakes import Mistake, Place, WrongKeyError, refusal
from pipeline.jobs.spec_overrides import lay_over
from pipeline.jobs.spec_quantize import Quantize
from pipeline.jobs.spec_roots import check_apart
from pipeline.jobs.spec_sections import Input, Large, Output, Regions, Section
from pipeline.jobs.spec_words import plain_schema, shown
from pipeline.jobs.yaml_places import UNREADABLE, PlacedYaml, read_yaml


class JobSpec(Section):
    """One job. Both roots are absolute; relative ones need ``context={"base": folder}``."""

    input: Input = Field(description="What is read.")
    output: Output = Field(description="What is written. Only what is under its root.")
    quantize: Quantize = Field(default_factory=Quantize, description="How palettes are found.")
    regions: Regions = Field(
        default_factory=Regions, description="Connected regions of the label map, for segmentation."
    )
    large: Large = Field(default_factory=Large, description="Images that are done in windows.")
    compute: Compute = Field(
        default_factory=Compute, description="Where the work runs. The outputs are the same bytes anywhere."
    )

    @model_validator(mode="after")
    def _rasters_have_no_colors(self) -> "JobSpec":
        if self.quantize.method == "segment":
            for key, wanted in (
                ("regions", self.regions.wanted),
                ("output.ssim", self.output.ssim),
                ("output.preview", self.output.preview is not None),
                ("output.comparison.layout", self.output.comparison.layout != "none"),
            ):
                if wanted:
                    raise WrongKeyError(key, "quantize.method 'segment' knows no colours; leave this out")
        return self

    @model_validator(mode="after")
    def _tables_have_room(self) -> "JobSpec":
        most = self.quantize.most_colors
        if "act" in self.output.palette.formats and most > 256 and self.quantize.method != "segment":
            raise WrongKeyError(
                "output.palette.formats",
                f"'act' holds at most 256 colours, and this job may find {most}; leave it out for 'ase', or "
                "ask for fewer colours",
            )
        return self

    @field_validator("output")
    @classmethod
    def _apart_from_input(cls, output: Output, info: ValidationInfo) -> Output:
        if "input" in info.data:  # else its own mistake is told
            check_apart(info.data["input"].root, output.root)
        return output


def load_spec(path: Path, overrides: Sequence[str] = ()) -> JobSpec:
    """Read and check a job file.

    Parameters
    ----------
    path : Path
        The YAML file. Relative roots start from its folder, those of overrides included.
    overrides : sequence of str
        ``"quantize.colors=32"``: keys that beat the file's, the value in YAML.

    Raises
    ------
    SpecError
        With one line for each mistake of the file and the overrides, all at once.
    """
    document = _read(path)
    mistakes = lay_over(document, overrides)
    required = {"input": None, "output": None}  # left out, the keys missing in them are told
    base = path.absolute().parent
    try:
        spec = JobSpec.model_validate(required | document.value, context={"base": base})
    except ValidationError as error:
        mistakes += diagnose(error, document, plain_schema(JobSpec))
    mistakes += document.mistakes
    if mistakes:
        raise refusal(mistakes)
    return spec


def _read(path: Path) -> PlacedYaml:
    def place_of(line: int, column: int) -> Place:
        return Place.in_file(str(path), line, column)

    document = read_yaml(text_of(path), place_of)
    if path.suffix and path.suffix not in SUFFIXES and document.value in (None, UNREADABLE):
        raise SpecError(f"{path}: expected a YAML job file, found another; 'segpipe init' writes one")
    if document.value is UNREADABLE:
        raise refusal(document.mistakes)
    if document.value is None:
        raise SpecError(f"{path}: empty; a job gives at least input.root and output.root")
    if not isinstance(document.value, dict):
        message = f"expected sections such as 'input:' and 'output:', found {shown(document.value)}"
        if path.suffix and path.suffix not in SUFFIXES:
            message += "; expected a YAML job file; 'segpipe init' writes one"
        raise refusal([Mistake(document.key_place(()), (), message)])
    return document
