"""Write the API reference from the docstrings: pages for a browser.

    python docs/api.py out/api

pdoc looks at what a package has loaded; ours loads its names when they are first asked for. So each is
asked for here.
"""

import sys
from pathlib import Path

import pdoc

import pipeline


def write(folder: Path) -> None:
    """Write ``index.html`` and ``pipeline.html``, with all public names and nothing else."""
    for name in pipeline.__all__:
        setattr(pipeline, name, getattr(pipeline, name))
    pdoc.render.configure(docformat="numpy", show_source=False)
    pdoc.pdoc("pipeline", output_directory=folder)


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "out/api"))
