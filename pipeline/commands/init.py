"""`segpipe init` and `schema`: what a new job begins with."""

from pathlib import Path

import click


@click.command()
def schema() -> None:
    """Print the JSON Schema of job files, for editors."""
    import json

    from pipeline.jobs.spec_schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


@click.command()
@click.argument("images", type=click.Path(path_type=Path))
@click.argument("job", type=click.Path(path_type=Path), default="job.yaml")
@click.option("--output", type=click.Path(path_type=Path), help="Output root.  [default: IMAGES-segpipe]")
def init(images: Path, job: Path, output: Path | None) -> None:
    """Write a commented job file JOB for a folder of IMAGES, and the schema beside it."""
    import json

    from pipeline.errors import InputError, OutputError, SpecError
    from pipeline.jobs.spec import load_spec
    from pipeline.jobs.spec_schema import json_schema
    from pipeline.jobs.spec_template import template

    images = images.absolute()
    output = (output or images.with_name(f"{images.name}-segpipe")).absolute()
    if not images.is_dir():
        raise InputError(f"{images}: expected a folder of images, found none; check the path")
    if job.exists():
        raise SpecError(f"{job}: expected a new file, found one; choose another name")
    schema_file = job.with_name("job.schema.json")
    try:
        job.write_text(template(str(images), str(output)), encoding="utf-8")
        load_spec(job)
        if not schema_file.exists():
            text = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
            schema_file.write_text(text, encoding="utf-8")
    except SpecError:
        job.unlink()
        raise
    except OSError as error:
        raise OutputError(f"{job}: could not be written: {error.strerror}; choose another name") from error
    click.echo(f"{job} is ready: segpipe run {job}", err=True)
