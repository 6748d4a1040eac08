"""MovieLens-100K: both origins give the same tables, and nothing but the published files is accepted."""

import io
import os
import sys
import zipfile
from pathlib import Path

import pytest

from recsys.data import movielens
from recsys.data.movielens import GENRES, GroupLensArchive, OriginError, RecBoleWheel, from_archive, from_wheel


def flags(*genres: str) -> str:
    return "|".join("1" if genre in genres else "0" for genre in GENRES)


ARCHIVE = {
    "u.data": "196\t242\t3\t30\n22\t242\t1\t20\n22\t267\t5\t20\n",
    "u.user": "22|24|M|technician|85711\n196|53|F|other|T8H1N\n",
    "u.item": (
        f"242|Misérables, Les (1995)|01-Jan-1995||http://x|{flags('Drama', 'Musical')}\n"
        f"267|unknown||||{flags('unknown')}\n"
        f"1412|Land Before Time III: The Time (1995) (V)|01-Jan-1995||http://y|{flags('Animation')}\n"
    ),
}
WHEEL = {
    "ml-100k.inter": "user_id:token\titem_id:token\trating:float\ttimestamp:float\n" + ARCHIVE["u.data"],
    "ml-100k.user": "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n"
    + ARCHIVE["u.user"].replace("|", "\t"),
    "ml-100k.item": (
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
        "242\tMisérables, Les\t1995\tDrama Musical\n"
        "267\tunkonwn\tunkonwn\tunknown\n"
        "1412\tLand Before Time III: The Time (1995)\tV\tAnimation\n"
    ),
}


def tables_of_archive() -> movielens.Tables:
    return from_archive({name: text.encode("latin-1") for name, text in ARCHIVE.items()})


def test_events_are_in_order_of_time_and_ties_in_order_of_the_file() -> None:
    events = tables_of_archive().events
    assert events.to_csv(index=False) == "user_id,item_id,rating,timestamp\n22,242,1,20\n22,267,5,20\n196,242,3,30\n"


def test_items_carry_title_year_and_genres() -> None:
    assert tables_of_archive().items.to_csv(index=False) == (
        "item_id,title,release_year,genres\n"
        '242,"Misérables, Les",1995,Drama|Musical\n'
        "267,unknown,,unknown\n"
        "1412,Land Before Time III: The Time,1995,Animation\n"
    )


def test_both_origins_give_the_same_tables() -> None:
    one, other = tables_of_archive(), from_wheel({name: text.encode() for name, text in WHEEL.items()})
    for name in ("events", "users", "items"):
        assert getattr(one, name).to_csv(index=False) == getattr(other, name).to_csv(index=False)


def zipped(folder: str, files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(folder + name, text)
    return content.getvalue()


def test_another_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ml-100k.zip"
    path.write_bytes(zipped("ml-100k/", ARCHIVE))
    with pytest.raises(OriginError, match=r"ml-100k\.zip is not the published file: SHA-256 \w{64}, expected 50d2a982"):
        GroupLensArchive(url=path.as_uri()).tables()


def test_an_origin_that_does_not_answer_says_so() -> None:
    # Port 9 of this machine: refused at once, no network needed.
    with pytest.raises(OriginError, match=r"http://127\.0\.0\.1:9/ml-100k\.zip cannot be reached: .*refused"):
        GroupLensArchive(url="http://127.0.0.1:9/ml-100k.zip").tables()


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all pip knows of."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return tmp_path


def test_a_package_that_pip_does_not_find(wheels: Path) -> None:
    with pytest.raises(OriginError, match=r"pip download recbole==1\.2\.1: ERROR: No matching distribution found"):
        RecBoleWheel().tables()


def test_another_wheel_is_refused(wheels: Path) -> None:
    content = zipped("recbole/dataset_example/ml-100k/", WHEEL)
    with (
        zipfile.ZipFile(io.BytesIO(content)) as source,
        zipfile.ZipFile(wheels / "recbole-1.2.1-py3-none-any.whl", "w") as wheel,
    ):
        for name in source.namelist():
            wheel.writestr(name, source.read(name))
        wheel.writestr("recbole-1.2.1.dist-info/METADATA", "Metadata-Version: 2.1\nName: recbole\nVersion: 1.2.1\n")
        wheel.writestr("recbole-1.2.1.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    with pytest.raises(OriginError, match=r"ml-100k\.inter is not the published file"):
        RecBoleWheel().tables()


def test_a_python_without_pip_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "python").write_text('#!/bin/sh\necho "No module named pip" >&2\nexit 1\n')
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(OriginError, match=r"pip download recbole==1\.2\.1: No module named pip"):
        RecBoleWheel().tables()
