"""The measured query: right sums, no small groups, one error, the same for any cutting of bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enclave_image.column_sums import MAX_GROUPS
from enclave_image.configuration import Query
from enclave_image.inside.query import Aggregator
from nitro_workflow.errors import DatasetError

QUERY = Query(("who", "where", "orders", "money"), "where", {"orders": "integer", "money": "cents"})
HEADER = b"who,where,orders,money\n"


def run(data: bytes, threshold: int = 2, piece: int = 0) -> dict:
    aggregator = Aggregator(QUERY, threshold)
    step = piece or len(data) or 1
    for at in range(0, len(data), step):
        aggregator.feed(data[at : at + step])
    return aggregator.finish().to_json()


def test_sums_means_and_suppression():
    rows = b"a,x,1,0.10\nb,x,2,-0.20\nc,y,5,1.00\n"
    assert run(HEADER + rows) == {
        "rows": 3,
        "threshold": 2,
        "groups": [
            {
                "where": "x",
                "count": 2,
                "orders": {"sum": "3", "mean": "1.50"},
                "money": {"sum": "-0.10", "mean": "-0.05"},
            }
        ],
        "suppressed": 1,
    }


@pytest.mark.parametrize("piece", [1, 2, 7, 64])
def test_where_the_bytes_are_cut_does_not_matter(piece):
    data = HEADER + 'a,"x, ""y""",1,0.10\r\nb,é,2,3.00'.encode()
    assert run(data, 2, piece) == run(data, 2)
    assert run(data, 2)["rows"] == 2


@pytest.mark.parametrize(
    "row",
    [
        b"a,x,1\n",
        b"a,x,1,0.1\n",
        b"a,x,1,0.10,\n",
        b"a,x,1.0,0.10\n",
        b"a,x,1_0,0.10\n",
        b"a,x, 1,0.10\n",
        b"a,x,+1,0.10\n",
        b"a,x,1,1e3\n",
        b"a,x,1,nan\n",
        b"a,,1,0.10\n",
        "a,x,\u0661,0.10\n".encode(),
        b"a,x,%s,0.10\n" % (b"9" * 16),
        b"a,%s,1,0.10\n" % (b"x" * 129),
        b'a,"x\ny",1,0.10\n',
        b'a,"x,1,0.10\n',
        b"\xff,x,1,0.10\n",
        b"a,x,1,0.10\n\n",
    ],
)
@pytest.mark.parametrize("piece", [0, 3])
def test_a_row_that_is_none_spoils_all(row, piece):
    with pytest.raises(DatasetError) as caught:
        run(HEADER + b"a,x,1,0.10\n" + row, 2, piece)
    assert "0.10" not in caught.value.diagnostics()


def test_too_many_groups_are_refused():
    rows = b"".join(b"a,g%d,1,0.10\n" % i for i in range(MAX_GROUPS + 1))
    with pytest.raises(DatasetError):
        run(HEADER + rows)
    assert run(HEADER + rows[: rows.rindex(b"a,")])["suppressed"] == MAX_GROUPS


def test_nothing_and_a_header_alone():
    with pytest.raises(DatasetError):
        run(b"")
    assert run(HEADER)["groups"] == []


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes_are_an_answer_or_one_error(data, piece):
    outcomes = set()
    for cut in (piece, 0):
        try:
            outcomes.add(str(run(HEADER + data, 2, cut)))
        except DatasetError as error:
            outcomes.add(str(error))
    assert len(outcomes) == 1
