"""Reading and writing: paths, bytes and arrays; no YAML, no Dask, no manifest."""
