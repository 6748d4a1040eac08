"""Events out of CSV or JSON lines, a file or standard input, line by line: a broken line harms no other."""

import csv
import gzip
import json
import sys
import time
import zlib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final, cast

from recsys.errors import InputError, did_you_mean
from recsys.feedback.event import NAMES, REQUIRED, Event, Malformed, MalformedEventError, event_of

STANDARD_INPUT: Final = "-"
LONGEST_LINE: Final = 65_536
"""Bytes; a longer line is no event, and only this much of it is kept."""
JSON_SUFFIXES: Final = (".jsonl", ".ndjson", ".json")
GZIP: Final = ".gz"

Fields = dict[str, object]


@contextmanager
def reading(name: str) -> Iterator[Iterator[Event | Malformed]]:
    """Open a file, compressed where it ends in .gz, or standard input for `-`; give what its lines hold, in order.

    Raises:
        InputError: the file cannot be read, or what it begins with is neither JSON lines nor a CSV of events.
    """
    try:
        with _opened(name) as stream:
            yield events_in(stream, "standard input" if name == STANDARD_INPUT else name)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise InputError(f"{name} is no whole gzip file: {error}; what was acknowledged is kept") from error


def events_in(stream: BinaryIO, name: str) -> Iterator[Event | Malformed]:
    """What the lines of a stream hold; blank lines hold nothing.

    JSON lines have one object a line. A CSV has a line with the names of its columns, in any order, then one line an
    event, with no line breaks in quotes. JSON lines are known by .jsonl, .ndjson or .json at the end of the name, .gz
    not counted, or by a first line that begins with a brace.

    Raises:
        InputError: the first line of a CSV does not name events; raised before any event is asked for.
    """
    lines = ((number, line) for number, line in enumerate(_lines(stream), start=1) if line.strip())
    number, first = next(lines, (0, b""))
    if not number:
        return iter(())
    first = first.removeprefix(BOM_UTF8)
    if name.lower().removesuffix(GZIP).endswith(JSON_SUFFIXES) or first.lstrip().startswith(b"{"):
        return _events(chain([(number, first)], lines), _of_json, header=None)
    header, columns = _header(first, name)
    return _events(lines, partial(_of_csv, columns=columns), header)


def fields_of(line: Malformed) -> Fields:
    """The fields of a line that makes no event.

    Raises:
        MalformedEventError: it has none.
    """
    return _of_json(line.raw) if line.header is None else _of_csv(line.raw, next(csv.reader([line.header])))


def _events(
    lines: Iterable[tuple[int, bytes]], fields: Callable[[str], Fields], header: str | None
) -> Iterator[Event | Malformed]:
    for number, line in lines:
        try:
            if len(line) > LONGEST_LINE:
                raise MalformedEventError(f"the line is longer than {LONGEST_LINE:,} bytes")
            yield event_of(fields(line.decode()), time.time())
        except UnicodeDecodeError as error:
            reason = f"byte {error.start + 1} of the line is no UTF-8"
        except MalformedEventError as error:
            reason = str(error)
        else:
            continue
        yield Malformed(number, line.decode(errors="backslashreplace"), reason, header)


def _opened(name: str) -> AbstractContextManager[BinaryIO]:
    if name == STANDARD_INPUT:
        return nullcontext(sys.stdin.buffer)
    try:
        return cast(BinaryIO, gzip.open(name)) if name.lower().endswith(GZIP) else Path(name).open("rb")
    except OSError as error:
        raise InputError(
            f"{name} cannot be read: {error.strerror}; give a CSV or JSON lines file, or - for standard input"
        ) from error


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Lines without their ends, one byte longer than the longest allowed where they are too long."""
    while line := stream.readline(LONGEST_LINE + 1):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = stream.readline(LONGEST_LINE)
        yield line.rstrip(b"\r\n")


def _header(line: bytes, name: str) -> tuple[str, list[str]]:
    """The line that names the columns, and what it names."""
    header = line.decode(errors="backslashreplace")
    seen = f"{name} begins with {header[:80]!a}"
    expected = f"expected JSON lines, or a CSV with the columns {', '.join(REQUIRED)}"
    try:
        columns = next(csv.reader([header], strict=True))
    except csv.Error as error:
        raise InputError(f"{seen}; {expected}") from error
    if not set(REQUIRED) & set(columns):
        raise InputError(f"{seen}; {expected}")
    missing = [column for column in REQUIRED if column not in columns]
    if missing:
        raise InputError(f"{name}: no column {', '.join(missing)}; columns seen: {', '.join(columns)}; {expected}")
    for column in columns:
        if column not in NAMES:
            raise InputError(f"{name}: unknown column {column!a}: {did_you_mean(column, NAMES)}")
        if columns.count(column) > 1:
            raise InputError(f"{name}: the column {column} stands twice; give every column once")
    return header, columns


def _of_csv(text: str, columns: list[str]) -> Fields:
    try:
        values = next(csv.reader([text], strict=True))
    except csv.Error as error:
        raise MalformedEventError(f"no CSV: {error}") from error
    if len(values) != len(columns):
        raise MalformedEventError(f"values seen: {len(values)}, columns: {len(columns)}")
    return dict(zip(columns, values, strict=True))


def _of_json(text: str) -> Fields:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedEventError(f"no JSON: {error}") from error
    if not isinstance(fields, dict):
        raise MalformedEventError(f"no JSON object but {ascii(fields)[:40]}")
    return fields
