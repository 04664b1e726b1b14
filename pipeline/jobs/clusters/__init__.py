"""Dask clusters by kind: each module opens one kind, or joins one that is there."""
