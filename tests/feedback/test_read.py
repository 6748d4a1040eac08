"""Reading CSV and JSON lines: every line is an event, or malformed with a reason, and harms no other."""

import gzip
import io

import pytest

from recsys.errors import InputError
from recsys.feedback.event import Event, Malformed
from recsys.feedback.read import LONGEST_LINE, events_in, reading

HEADER = "event_id,user_id,item_id,event_type,timestamp"
ANNA = Event("e1", "anna", "tea", "view", 1_700_000_000)
BEN = Event("e2", "ben", "mug", "view", 1_700_000_060)
CSV = ("e1,anna,tea,view,1700000000", "e2,ben,mug,view,1700000060")
JSON = (
    '{"event_id": "e1", "user_id": "anna", "item_id": "tea", "event_type": "view", "timestamp": 1700000000}',
    '{"event_id": "e2", "user_id": "ben", "item_id": "mug", "event_type": "view", "timestamp": 1700000060}',
)


def found(*lines, name="events"):
    content = b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines)
    return list(events_in(io.BytesIO(content), name))


@pytest.mark.parametrize("lines", [(HEADER, *CSV), JSON], ids=["csv", "json"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_lines(lines, end, last):
    text = end.join(lines) + end * last
    assert found(text) == [ANNA, BEN]


def test_a_csv_may_order_its_columns_quote_its_values_and_begin_with_a_byte_order_mark():
    lines = ("\ufefftimestamp,event_type,item_id,user_id,event_id,rating", '1700000000,view,"tea",anna,e1,')
    assert found(*lines) == [ANNA]


@pytest.mark.parametrize("name", ["events.jsonl", "standard input"])
def test_json_lines_may_begin_with_a_byte_order_mark(name):
    assert found("\ufeff" + JSON[0], JSON[1], name=name) == [ANNA, BEN]


def test_blank_lines_hold_nothing_but_count():
    first, second = found("", JSON[0], "   ", "", "{")
    assert first == ANNA
    assert second.line == 5


def test_an_empty_file_holds_nothing():
    assert found("") == []


@pytest.mark.parametrize(
    ("line", "raw", "reason"),
    [
        ("e9,anna,tea", "e9,anna,tea", "values seen: 3, columns: 5"),
        ('e9,"anna,tea,view,1700000000', 'e9,"anna,tea,view,1700000000', "no CSV: unexpected end of data"),
        (
            "e9,anna,tea,view,soon",
            "e9,anna,tea,view,soon",
            "timestamp is 'soon'; allowed: seconds since 1970, or ISO 8601",
        ),
        (b"e9,ann\xe4,tea,view,1700000000", r"e9,ann\xe4,tea,view,1700000000", "byte 7 of the line is no UTF-8"),
        ("x" * 200_000, "x" * (LONGEST_LINE + 1), "the line is longer than 65,536 bytes"),
    ],
)
def test_a_broken_line_of_a_csv_harms_no_other(line, raw, reason):
    assert found(HEADER, CSV[0], line, CSV[1]) == [ANNA, Malformed(3, raw, reason, HEADER), BEN]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"event_id": "e9"', "no JSON: Expecting ',' delimiter: line 1 column 18 (char 17)"),
        ("[1, 2]", "no JSON object but [1, 2]"),
        ("[" * 60_000, "no JSON: "),
        ('{"event_id": "e9"}', "user_id, item_id, event_type, timestamp missing; every event has "),
        ('{"position": ' + "1" * 5_000 + "}", "no JSON: Exceeds the limit"),
    ],
)
def test_a_broken_json_line_harms_no_other(line, reason):
    first, malformed, last = found(JSON[0], line, JSON[1])
    assert (first, last) == (ANNA, BEN)
    assert (malformed.line, malformed.raw, malformed.header) == (2, line, None)
    assert malformed.reason.startswith(reason)


def test_json_lines_by_their_name_may_begin_with_a_broken_one():
    malformed, event = found('pe": "view"}', JSON[1], name="log.jsonl")
    assert (malformed.raw, event) == ('pe": "view"}', BEN)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (
            "once upon a time",
            "events begins with 'once upon a time'; expected JSON lines, or a CSV with the columns event",
        ),
        (b"\x89PNG\x00", r"events begins with '\\x89PNG\x00'; expected JSON lines, or a CSV with the columns event_id"),
        ('[{"event_id": 1}]', """events begins with '[{"event_id": 1}]'; expected JSON lines, or a CSV"""),
        (
            "event_id,user_id,item,timestamp",
            "events: no column item_id, event_type; columns seen: event_id, user_id, item",
        ),
        (HEADER + ",propensty", "events: unknown column 'propensty': did you mean 'propensity'?"),
        (HEADER + ",user_id", "events: the column user_id stands twice; give every column once"),
    ],
)
def test_a_header_that_names_no_events(header, message):
    with pytest.raises(InputError) as told:
        found(header, *CSV)
    assert str(told.value).startswith(message)


@pytest.mark.parametrize(("name", "why"), [("none.csv", "No such file or directory"), (".", "Is a directory")])
def test_a_file_that_cannot_be_read(tmp_path, monkeypatch, name, why):
    monkeypatch.chdir(tmp_path)
    with (
        pytest.raises(InputError, match=f"^{name} cannot be read: {why}; give a CSV or JSON lines file"),
        reading(name),
    ):
        pass


@pytest.mark.parametrize(("name", "lines"), [("log.csv.gz", (HEADER, *CSV)), ("log.jsonl.gz", JSON)])
def test_a_compressed_file(tmp_path, name, lines):
    (tmp_path / name).write_bytes(gzip.compress("\n".join(lines).encode()))
    with reading(str(tmp_path / name)) as records:
        assert list(records) == [ANNA, BEN]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (lambda whole: whole[:-20], "Compressed file ended before the end-of-stream marker was reached"),
        (lambda whole: gzip.decompress(whole), r"Not a gzipped file \(b'ev'\)"),
        (lambda whole: whole[:20] + b"\xff" * 9 + whole[29:], "Error -3 while decompressing data"),
    ],
    ids=["cut", "plain", "damaged"],
)
def test_a_broken_compressed_file(tmp_path, broken, reason):
    path = tmp_path / "log.csv.gz"
    path.write_bytes(broken(gzip.compress("\n".join([HEADER, *CSV]).encode())))
    with (
        pytest.raises(InputError, match=rf"log\.csv\.gz is no whole gzip file: {reason}"),
        reading(str(path)) as records,
    ):
        list(records)
