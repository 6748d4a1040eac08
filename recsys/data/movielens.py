"""MovieLens-100K from two origins, the GroupLens archive and the copy in a PyPI wheel, as the same three tables.

F. M. Harper and J. A. Konstan, The MovieLens Datasets: History and Context, ACM TiiS 5(4), 2015.
"""

import hashlib
import io
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pandas as pd

from recsys.data.schema import ITEM, RATING, TIME, USER

CONNECT_SECONDS = 5

SHA256 = {
    "ml-100k.zip": "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
    "u.data": "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490",
    "u.item": "553841ebc7de3a0fd0d6b62a204ea30c1e651aacfb2814c7a6584ac52f2c5701",
    "u.user": "f120e114da2e8cf314fd28f99417c94ae9ddf1cb6db8ce0e4b5995d40e90e62c",
    "ml-100k.inter": "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
    "ml-100k.item": "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
    "ml-100k.user": "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972",
}
"""What every file must be; the mirror's .inter is u.data behind a header line, its .user is u.user with tabs."""

GENRES = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *("Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
"""In the order of the flags in u.item."""


class OriginError(Exception):
    """An origin did not give the data; the message says why, in one line."""


@dataclass(frozen=True)
class Tables:
    """The data set in its canonical form, whichever origin it came from.

    Events are sorted by time; equal times keep the order of u.data, which is random: sorting them by id would put
    a pattern into histories that no user made.
    """

    events: pd.DataFrame
    users: pd.DataFrame
    items: pd.DataFrame


class Origin(Protocol):
    """Somewhere MovieLens-100K can be had from."""

    @property
    def name(self) -> str:
        """The origin in words."""
        ...

    def tables(self) -> Tables:
        """Get and check the data.

        Raises:
            OriginError: it cannot be reached, or does not hold what it should.
        """
        ...


@dataclass(frozen=True)
class GroupLensArchive:
    """The archive published by its authors."""

    url: str = "https://files.grouplens.org/datasets/movielens/ml-100k.zip"
    name: str = "the official GroupLens archive"

    def tables(self) -> Tables:
        """Download, check and convert; see `Origin.tables`."""
        try:
            with urllib.request.urlopen(self.url, timeout=CONNECT_SECONDS) as answer:
                archive = answer.read()
        except OSError as error:
            raise OriginError(f"{self.url} cannot be reached: {getattr(error, 'reason', error)}") from error
        check("ml-100k.zip", archive)
        return from_archive(_members(archive, "ml-100k/", ("u.data", "u.user", "u.item")))


@dataclass(frozen=True)
class RecBoleWheel:
    """The copy inside a wheel on PyPI: downloaded through pip, read as a zip file, never installed."""

    requirement: str = "recbole==1.2.1"
    name: str = "the copy in the PyPI package recbole 1.2.1"

    def tables(self) -> Tables:
        """Download, check and convert; see `Origin.tables`."""
        with tempfile.TemporaryDirectory() as folder:
            options = [
                "--no-deps",
                "--only-binary=:all:",
                "--quiet",
                "--timeout=15",
                "--retries=1",
                "--dest",
                folder,
            ]
            command = [sys.executable, "-m", "pip", "download", *options, self.requirement]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            wheels = list(Path(folder).glob("*.whl"))
            if done.returncode or not wheels:
                reason = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]
                raise OriginError(f"pip download {self.requirement}: {reason}")
            wheel = wheels[0].read_bytes()
        names = ("ml-100k.inter", "ml-100k.user", "ml-100k.item")
        return from_wheel(_members(wheel, "recbole/dataset_example/ml-100k/", names))


ORIGINS: tuple[Origin, ...] = (GroupLensArchive(), RecBoleWheel())


def check(name: str, content: bytes) -> bytes:
    """Return the content if its SHA-256 is the published one.

    Raises:
        OriginError: it is another file.
    """
    seen = hashlib.sha256(content).hexdigest()
    if seen != SHA256[name]:
        raise OriginError(f"{name} is not the published file: SHA-256 {seen}, expected {SHA256[name]}")
    return content


def from_archive(members: Mapping[str, bytes]) -> Tables:
    """Convert u.data, u.user and u.item."""
    events = _frame(members["u.data"], "\t", [USER, ITEM, RATING, TIME])
    users = _frame(members["u.user"], "|", [USER, "age", "gender", "occupation", "zip_code"])
    names = [ITEM, "title", "released", "video", "url", *GENRES]
    items = _frame(members["u.item"], "|", names, encoding="latin-1")
    flags = items[list(GENRES)].to_numpy() == "1"
    genres = [[name for name, flag in zip(GENRES, row, strict=True) if flag] for row in flags]
    return _canonical(events, users, items[ITEM], items["title"], genres)


def from_wheel(members: Mapping[str, bytes]) -> Tables:
    """Convert ml-100k.inter, .user and .item, whose titles lost their year to a column of its own."""
    events = _frame(members["ml-100k.inter"], "\t", [USER, ITEM, RATING, TIME], skip=1)
    users = _frame(members["ml-100k.user"], "\t", [USER, "age", "gender", "occupation", "zip_code"], skip=1)
    items = _frame(members["ml-100k.item"], "\t", [ITEM, "title", "year", "genres"], skip=1)
    titles = items["title"] + " (" + items["year"] + ")"
    return _canonical(events, users, items[ITEM], titles, [text.split(" ") for text in items["genres"]])


def _canonical(
    events: pd.DataFrame, users: pd.DataFrame, ids: pd.Series, titles: pd.Series, genres: Iterable[list[str]]
) -> Tables:
    for name in (TIME, USER, ITEM):
        events[name] = events[name].astype("int64")
    # "Title (1995)", "Title (1995) (V)"; the one film without a year has no title either.
    parts = titles.str.extract(r"^(?P<title>.*?) *\((?P<year>\d{4})\)")
    items = pd.DataFrame(
        {
            ITEM: ids,
            "title": parts["title"].fillna("unknown"),
            "release_year": parts["year"].fillna(""),
            "genres": ["|".join(sorted(names)) for names in genres],
        }
    )
    return Tables(events.sort_values(TIME, kind="stable", ignore_index=True), users, items)


def _frame(content: bytes, delimiter: str, names: list[str], *, encoding: str = "utf-8", skip: int = 0) -> pd.DataFrame:
    return pd.read_csv(
        io.BytesIO(content),
        sep=delimiter,
        names=names,
        skiprows=skip,
        dtype="str",
        keep_default_na=False,
        quoting=3,  # titles hold quotation marks of their own
        encoding=encoding,
    )


def _members(archive: bytes, folder: str, names: Iterable[str]) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
            return {name: check(name, zipped.read(folder + name)) for name in names}
    except (zipfile.BadZipFile, KeyError) as error:
        raise OriginError(f"the download does not hold the data set: {error}") from error
