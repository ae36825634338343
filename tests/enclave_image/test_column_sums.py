"""Plain rows are added up another way: the answers and the refusals are those of `csv` alone."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from enclave_image.column_sums import RowForm
from enclave_image.configuration import Query
from enclave_image.inside.query import Aggregator
from nitro_workflow.errors import DatasetError
from tests.enclave_image.csv_aggregator import CsvAggregator

COLUMNS = ("who", "where", "orders", "money")
MEASURES = {"orders": "integer", "money": "cents"}
QUERIES = {
    "as in the walk": Query(COLUMNS, "where", MEASURES),
    "measures in another order": Query(COLUMNS, "where", dict(reversed(MEASURES.items()))),
    "apart": Query(("orders", "where", "money"), "where", MEASURES),
    "two runs": Query(("orders", "who", "money", "where"), "where", MEASURES),
    "group last": Query(("who", "money", "where"), "where", {"money": "cents"}),
    "nothing measured": Query(("where", "who"), "where", {}),
    "one column": Query(("where",), "where", {}),
    "grouped by a measure": Query(("where", "orders"), "orders", {"orders": "integer"}),
}

INTEGERS = st.one_of(
    st.integers(-(10**15), 10**15).map(str),
    st.sampled_from(["007", "-0", "-", "", "1-2", "+1", "1_0", "1.0", " 1", "٣", "9" * 16]),
    st.integers(0, 9).map(str),
)
CENTS = st.one_of(
    st.decimals(-(10**13), 10**13, places=2).map(str),
    st.sampled_from(["-0.00", "00.05", ".50", "1.5", "1.005", "1,00", "1.5e1", "nan", "-.50"]),
)
NAMES = st.one_of(
    st.sampled_from(["x", "y", "é", "", "x" * 128, "é" * 128, "x" * 129, 'a"b', '"q,r"', "-7"]),
    st.text(max_size=3),
)
ENDS = st.sampled_from(["\n", "\n", "\n", "\n", "\r\n", "\r", "\n\n", "\r\r\n", ",\n"])
KINDS = {"integer": INTEGERS, "cents": CENTS}


def answer(kind, query, data, piece, threshold=1):
    aggregator = kind(query, threshold)
    for at in range(0, len(data), piece):
        aggregator.feed(data[at : at + piece])
    try:
        return aggregator.finish().to_json()
    except DatasetError as error:
        return error.to_json()


@st.composite
def files(draw):
    query = QUERIES[draw(st.sampled_from(sorted(QUERIES)))]
    columns = {name: KINDS.get(query.measures.get(name), NAMES) for name in query.columns}
    rows = [
        ",".join(draw(form) for form in columns.values()) + draw(ENDS)
        for _ in range(draw(st.integers(0, 8)))
    ]
    text = ",".join(query.columns) + "\n" + "".join(rows)
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    for _ in range(draw(st.integers(0, 1))):  # and a byte that is another now and then
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return query, bytes(data)


@settings(max_examples=600, deadline=None)
@given(files(), st.integers(1, 80))
@example((QUERIES["apart"], b"orders,where,money\nx1,g,1.00\n"), 80)
@example((QUERIES["nothing measured"], b"where,who\na\nb,c,d\n"), 80)
@example((QUERIES["one column"], b"where\na\n\nb\n"), 80)
def test_any_file_is_answered_as_csv_alone_would(file, piece):
    query, data = file
    for size in (piece, len(data)):
        assert answer(Aggregator, query, data, size) == answer(CsvAggregator, query, data, size)


# what stands between two halves of good rows -> whether it spoils them
ODD = {
    "a plain row": (b"a,x,1,0.10\n", False),
    "a sign": (b"a,x,-999999999999999,-9999999999999.99\n", False),
    "a quoted field": (b'a,"x",1,0.10\n', False),
    "a quote inside": (b'a"a,x,1,0.10\n', False),
    "CRLF": (b"a,x,1,0.10\r\n", False),
    "a NUL": (b"a\0,x,1,0.10\n", False),
    "a long field": (b"%s,x,1,0.10\n" % (b"w" * 60_000), False),
    "a field too long for csv": (b"%s,x,1,0.10\n" % (b"w" * 131_073), True),
    "a field too few and one too many": (b"a,x,1\nb,c,x,1,0.10\n", True),
    "a line end for a comma": (b"a\nx,1,0.10\n", True),
    "a row in two": (b"a,x,1,0.\n10\n", True),
    "a letter before a number": (b"a,x,z1,0.10\n", True),
    "no UTF-8 in a column that nothing is made of": (b"\xff,x,1,0.10\n", True),
    "a surrogate": (b"\xed\xa0\x80,x,1,0.10\n", True),
    "a lone carriage return": (b"a\rb,x,1,0.10\n", True),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("rows", [0, 20_000], ids=["short", "several blocks"])
def test_what_is_odd_between_good_rows(name, rows):
    odd, spoils = ODD[name]
    good = b"".join(b"w,g%d,%d,%d.05\n" % (i % 7, i, -i) for i in range(rows))
    data = b",".join(c.encode() for c in COLUMNS) + b"\n" + good + odd + good
    query = QUERIES["as in the walk"]
    for piece in (65_536, len(data)):
        found = answer(Aggregator, query, data, piece)
        assert found == answer(CsvAggregator, query, data, piece)
        assert ("code" in found) == spoils


def test_a_cut_line_that_grows_for_ever_is_refused():
    query = QUERIES["as in the walk"]
    data = b"who,where,orders,money\n" + b"w" * 200_000 + b",x,1,0.10\n"
    found = answer(Aggregator, query, data, 65_536)
    assert found == answer(CsvAggregator, query, data, 65_536)
    assert found["code"] == "DatasetError"


@pytest.mark.parametrize("name", sorted(set(QUERIES) - {"grouped by a measure"}))
def test_good_rows_take_the_short_way(name):
    query = QUERIES[name]
    values = {"integer": b"12", "cents": b"-3.50"}
    row = b",".join(values.get(query.measures.get(column), b"w") for column in query.columns)
    assert RowForm(query).add_up((row + b"\n") * 9) == {
        b"w": (9, [108 if kind == "integer" else -3150 for kind in query.measures.values()])
    }


def test_sums_do_not_wrap():
    query = QUERIES["as in the walk"]
    rows = b"w,x,999999999999999,-9999999999999.99\n" * 50_000
    assert RowForm(query).add_up(rows) == {
        b"x": (50_000, [50_000 * 999_999_999_999_999, -50_000 * 999_999_999_999_999])
    }
