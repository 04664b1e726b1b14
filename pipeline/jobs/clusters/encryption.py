"""Dask's TLS options, from the job's."""

from pathlib import Path
from typing import Any

from pipeline.errors import SpecError
from pipeline.jobs.spec_compute import Tls


def security_of(tls: Tls) -> Any:
    """The certificates as Dask takes them, or None for connections without; they take no others then.

    Raises SpecError if a file cannot be read: Dask would say so only when somebody connects.
    """
    if not tls.wanted:
        return None
    from distributed.security import Security

    for name in ("ca_file", "cert", "key"):
        path = Path(str(getattr(tls, name)))
        try:
            path.open("rb").close()
        except OSError as error:
            raise SpecError(f"compute.tls.{name}: {path}: cannot be read: {error.strerror}") from None
    pair = {
        f"tls_{role}_{part}": getattr(tls, part)
        for role in ("client", "scheduler", "worker")
        for part in ("cert", "key")
    }
    return Security(tls_ca_file=tls.ca_file, require_encryption=True, **pair)
