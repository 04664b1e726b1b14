"""A table of regions says what the regions say, in the same bytes anywhere."""

import csv
import io

import numpy as np
import pytest

from pipeline.color.regions import find_regions
from pipeline.files import tables
from pipeline.files.tables import regions_csv


def test_a_table_to_the_byte():
    labels = np.array([[1, 1, 0], [1, 2, 0]], np.uint8)
    pixels = np.array([[[10, 0, 0], [10, 0, 1], [0, 8, 0]], [[11, 0, 0], [1, 2, 3], [255, 9, 0]]], np.uint8)
    assert regions_csv(find_regions(labels, pixels)) == (
        b"region,label,area,min_row,min_col,max_row,max_col,"
        b"centroid_row,centroid_col,mean_red,mean_green,mean_blue\n"
        b"0,1,3,0,0,2,2,0.333,0.333,10.333,0.000,0.333\n"
        b"1,0,2,0,2,2,3,0.500,2.000,127.500,8.500,0.000\n"
        b"2,2,1,1,1,2,2,1.000,1.000,1.000,2.000,3.000\n"
    )


@pytest.mark.parametrize("at_once", [1, 7, 10**6])
def test_rows_do_not_depend_on_how_many_are_written_at_once(monkeypatch, at_once):
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 500, (30, 40)).astype(np.uint16)
    found = find_regions(labels, rng.integers(0, 256, (30, 40, 3)).astype(np.uint8))
    whole = regions_csv(found)
    monkeypatch.setattr(tables, "_AT_ONCE", at_once)
    assert regions_csv(found) == whole
    rows = list(csv.DictReader(io.StringIO(whole.decode())))
    assert [int(row["region"]) for row in rows] == list(range(len(found)))
    assert [int(row["label"]) for row in rows] == found.label.tolist()
    assert [int(row["max_col"]) for row in rows] == found.box[:, 3].tolist()
    assert np.allclose([float(row["mean_blue"]) for row in rows], found.mean_color[:, 2], rtol=0, atol=5.1e-4)


def test_no_regions_are_a_header():
    empty = find_regions(np.zeros((2, 2), np.uint8), np.zeros((2, 2, 3), np.uint8), clear=0)
    assert regions_csv(empty).count(b"\n") == 1
