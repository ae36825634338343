"""The owner's CSV before it is encrypted: refused where the application would, with the place."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enclave_image.column_sums import MAX_GROUPS, MAX_LINE
from enclave_image.configuration import Query
from enclave_image.owner import COLUMNS, QUERY, CustomerRecords, check_records
from nitro_workflow.errors import DatasetError
from tests.enclave_image.csv_aggregator import CsvAggregator
from tests.enclave_image.test_column_sums import answer, files

WALK = Query(COLUMNS, QUERY["group_by"], QUERY["measures"])
HEADER = ",".join(COLUMNS).encode() + b"\n"
ROW = b"00000001,Ada Chen,asia,public,2024-01-05,120,345.67\n"


def refusal(data: bytes, query: Query = WALK) -> DatasetError:
    with pytest.raises(DatasetError) as caught:
        check_records(io.BytesIO(data), query)
    assert "345.67" not in str(caught.value.to_json())
    return caught.value


def test_generated_records_pass():
    data = CustomerRecords(seed=3, size=3_000_000).read()
    found = check_records(io.BytesIO(data), WALK)
    assert (found.rows, found.groups, found.size) == (data.count(b"\n") - 1, 6, len(data))


@pytest.mark.parametrize("before", [0, 40_000], ids=["at once", "in a later block"])
@pytest.mark.parametrize(
    ("line", "column", "found"),
    [
        (b"garbage,row\n", 3, "2 fields"),
        (ROW.replace(b"\n", b",more\n"), 8, "8 fields"),
        (ROW.replace(b"120", b"12.0"), 6, "no such number"),
        (ROW.replace(b"345.67", b"345.6"), 7, "no such number"),
        (ROW.replace(b"asia", b""), 3, "0 characters"),
        (ROW.replace(b"asia", b"a" * 129), 3, "129 characters"),
        (ROW.replace(b"Ada", b"A\xffda"), 2, "0xff"),
        (ROW.replace(b"public", b"pub\0lic"), 4, "a NUL byte"),
        (ROW.replace(b"Ada Chen", b'"Ada Chen'), 2, "unexpected end of data"),
        (ROW.replace(b"Ada Chen", b'"Ada" Chen'), 2, "expected after"),
        (ROW.replace(b"Ada Chen", b"Ada\rChen"), 2, "a carriage return"),
        (b"\n", 1, "0 fields"),
        (ROW.replace(b"Ada", b"A" * MAX_LINE), 0, "a line of"),
    ],
)
def test_the_place_is_named(line, column, found, before):
    error = refusal(HEADER + ROW * (before + 1) + line + ROW)
    assert found in error.found
    place = f"P3, line {before + 3}"
    assert error.where.startswith(f"{place}, column {column}" if column else place)
    assert column > 7 or not column or COLUMNS[column - 1] in error.where


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b"", "P3, line 1"),
        (HEADER, "P3, line 1"),
        (HEADER.strip(), "P3, line 1"),
        (b"\n" + HEADER + ROW, "P3, line 1, column 1 (customer_id)"),
        (b"\xef\xbb\xbf" + HEADER + ROW, "P3, line 1, column 1 (customer_id)"),
        (HEADER.upper() + ROW, "P3, line 1, column 1 (customer_id)"),
        (HEADER.replace(b"region", b"land") + ROW, "P3, line 1, column 3 (region)"),
        (HEADER.replace(b"\n", b",more\n") + ROW, "P3, line 1, column 8"),
        (HEADER.decode().encode("utf-16") + ROW, "P3, line 1, column 1 (customer_id)"),
        (b"\0" * 9000, "P3, line 1, column 1 (customer_id)"),
        (b"x" * 5_000_000, "P3, line 1"),
    ],
)
def test_a_file_that_is_none_of_the_table(data, where):
    assert refusal(data).where == where


@pytest.mark.parametrize("change", [(b"\n", b"\r\n"), (b"Ada Chen", b'"Chen, Ada"')])
def test_other_ways_to_write_the_same_pass(change):
    data = HEADER + ROW.replace(*change) * 3
    assert check_records(io.BytesIO(data.rstrip()), WALK).rows == 3


def test_too_many_groups():
    query = Query(("where", "orders"), "where", {"orders": "integer"})
    rows = b"".join(b"g%d,1\n" % i for i in range(MAX_GROUPS + 1))
    error = refusal(b"where,orders\n" + rows, query)
    assert error.where == f"P3, line {MAX_GROUPS + 2}, column 1 (where)"


@settings(max_examples=300, deadline=None)
@given(files(), st.integers(1, 80))
def test_it_refuses_what_the_application_refuses(file, piece):
    query, data = file
    application = answer(CsvAggregator, query, data, piece)
    if "code" in application or b"\0" in data or not application["rows"]:
        refusal(data, query)
    else:
        assert check_records(io.BytesIO(data), query).rows == application["rows"]
