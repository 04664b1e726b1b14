"""Maths on colours: arrays in, arrays out; no path, no YAML, no Dask."""
