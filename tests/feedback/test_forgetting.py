"""Forgetting a user, on SQLite and on PostgreSQL: what goes, what stays, what comes again, and what files hold."""

import sqlite3
import threading
import time

import numpy as np
import pandas as pd
import pytest

from recsys.errors import InputError
from recsys.feedback.database import URL
from recsys.feedback.event import Malformed
from recsys.feedback.forgetting import Forgotten, digest_of
from recsys.feedback.store import Counts, Erased, forgotten_in, open_store

NOW = 1_800_000_000
HEADER = "event_id,user_id,item_id,event_type,timestamp"


def ids(feedback):
    return [event.event_id for batch in feedback.after() for event in batch.events]


def raw(feedback):
    return [line["raw"] for line in feedback.quarantined()]


class TestForget:
    def test_events_of_one_user_go(self, feedback, event):
        feedback.append([event(1), event(2), event(3, user_id="u1"), event(4, user_id="u11")], "a test")
        assert feedback.forget("u1", NOW) == Erased(events=2, quarantined=0)
        assert ids(feedback) == ["e2", "e4"]

    def test_twice_is_once(self, feedback, event):
        feedback.append([event(1), event(2)], "a test")
        feedback.forget("u1", NOW)
        before = feedback.forgotten()
        assert feedback.forget("u1", NOW) == Erased(events=0, quarantined=0)
        assert feedback.forgotten() == before

    @pytest.mark.parametrize(
        ("line", "header", "goes"),
        [
            ("e1,anna,tea,view,soon", HEADER, True),
            ("e1, anna,tea,view,1", HEADER, True),
            ("e1,hanna,tea,view,soon", HEADER, False),
            ("e1,ben,anna,view,soon", HEADER, False),  # an item of that name
            ("e1,anna,tea", HEADER, True),
            ("e1,hanna,tea", HEADER, False),
            ('{"user_id": "anna", "item_id": 1}', None, True),
            ('{"user_id": "ben", "item_id": "anna"}', None, False),
            ('{"user": "anna"}', None, True),
            ('{"user_id": ["anna"]}', None, True),
            ('{"user_id": "anna", ', None, True),
            ('{"user_id": "annabel", ', None, False),
        ],
    )
    def test_lines_in_quarantine(self, feedback, line, header, goes):
        feedback.append([Malformed(2, line, "a reason", header)], "log")
        assert feedback.holds("anna") is goes
        assert feedback.forget("anna", NOW) == Erased(events=0, quarantined=int(goes))
        assert raw(feedback) == ([] if goes else [line])

    def test_an_id_that_json_escapes(self, feedback):
        feedback.append([Malformed(1, r'{"user_id": "\u00e4nne', "no JSON: …")], "log")
        assert feedback.forget("änne", NOW).quarantined == 1

    def test_others_keep_their_places(self, feedback, event):
        """A watermark of before still tells what is new."""
        feedback.append(map(event, range(4)), "a test")
        watermark = list(feedback.after())[-1].watermark
        feedback.forget("u3", NOW)
        feedback.append([event(9)], "a test")
        assert [one.event_id for batch in feedback.after(watermark) for one in batch.events] == ["e9"]


class TestWhatComesAgain:
    def test_events_up_to_that_moment_stay_out(self, feedback, event):
        feedback.append([event(1)], "a test")
        feedback.forget("u1", NOW)
        again = [event(1), event(2), event(3, user_id="u1", timestamp=NOW), event(4, user_id="u1", timestamp=NOW + 1)]
        assert feedback.append(again, "a test") == Counts(inserted=2, forgotten=2)
        assert ids(feedback) == ["e2", "e4"]
        assert feedback.append(again, "a test") == Counts(duplicates=2, forgotten=2)

    def test_a_clock_that_runs_ahead(self, feedback, event):
        ahead = event(1, timestamp=NOW + 3_600)
        feedback.append([ahead], "a test")
        feedback.forget("u1", NOW)
        assert feedback.append([ahead], "a test") == Counts(forgotten=1)

    def test_a_user_who_came_back_and_is_forgotten_again(self, feedback, event):
        feedback.forget("u1", NOW)
        feedback.append([event(1, timestamp=NOW + 10)], "a test")
        assert feedback.forget("u1", NOW + 20).events == 1
        feedback.forget("u1", NOW + 5)  # never back
        assert feedback.append([event(1, timestamp=NOW + 20)], "a test") == Counts(forgotten=1)

    def test_malformed_lines(self, feedback):
        feedback.forget("anna", NOW)
        lines = [
            Malformed(2, "e1,anna,tea,,1700000000", "a reason", HEADER),
            Malformed(3, "e1,anna,tea,view,soon", "a reason", HEADER),
            Malformed(4, f"e1,anna,tea,view,{NOW}000", "a reason", HEADER),  # milliseconds
            Malformed(5, "anna;tea", "a reason", HEADER),
            Malformed(6, "e1,ben,tea,view,soon", "a reason", HEADER),
        ]
        assert feedback.append(lines, "log") == Counts(quarantined=1, forgotten=4, examples=(lines[4],))
        assert raw(feedback) == ["e1,ben,tea,view,soon"]

    def test_a_malformed_line_of_a_user_who_came_back(self, feedback):
        then = int(time.time()) - 60
        feedback.forget("anna", then)
        back = Malformed(2, f"e1,anna,tea,,{then + 1}", "a reason", HEADER)
        assert feedback.append([back], "log").quarantined == 1

    def test_a_writer_at_the_same_time(self, feedback, event):
        """Whichever of the two is first, nothing of the user is left."""
        feedback.append([event(0)], "a test")
        for number in range(1, 9):
            other = threading.Thread(target=feedback.append, args=([event(number, user_id="u0")], "a test"))
            other.start()
            feedback.forget("u0", NOW)
            other.join()
        assert ids(feedback) == []


class TestList:
    def test_nobody(self, feedback, folder):
        assert feedback.forgotten() == forgotten_in(folder) == Forgotten()
        assert feedback.forgotten().digest == ""
        assert feedback.forgotten().left_out(["u1", "u2"], [1, 2]).tolist() == [False, False]

    def test_a_store_that_is_not_there_is_not_made(self, tmp_path, monkeypatch):
        monkeypatch.delenv(URL, raising=False)
        assert forgotten_in(tmp_path / "store") == Forgotten()
        assert not (tmp_path / "store").exists()

    def test_left_out_takes_ids_of_either_kind(self, feedback, folder):
        feedback.forget("42", NOW)
        feedback.forget("anna", NOW + 1)
        forgotten = forgotten_in(folder)
        assert forgotten.left_out(np.array([42, 4, 42]), np.array([NOW, 0, NOW + 1])).tolist() == [True, False, False]
        users, times = pd.Series(["42", "anna", None, "ben"]), pd.Series([NOW, NOW + 1, 0, 0], dtype="Int64")
        assert forgotten.left_out(users, times).tolist() == [True, True, False, False]
        unknown = pd.Series([None, None], dtype="Int64")
        assert forgotten.left_out(pd.Series(["anna", "ben"]), unknown).tolist() == [True, False]

    def test_the_digest_says_what_the_list_says(self, feedback, folder):
        seen = {""}
        for user, moment in (("anna", NOW), ("ben", NOW), ("anna", NOW + 1)):
            feedback.forget(user, moment)
            with open_store(folder) as again:
                assert again.forgotten().digest == feedback.forgotten().digest not in seen
            seen.add(feedback.forgotten().digest)

    def test_no_id_is_on_it_and_every_store_digests_differently(self, feedback):
        feedback.forget("anna", NOW)
        forgotten = feedback.forgotten()
        assert set(forgotten.until) == {digest_of(forgotten.salt, "anna")} != {digest_of("", "anna")}
        assert len(forgotten.salt) == 32

    def test_a_million_events_at_once(self):
        salt = "a salt"
        forgotten = Forgotten(salt, {digest_of(salt, "17"): NOW})
        users = np.random.default_rng(0).integers(100_000, size=1_000_000)
        begun = time.process_time()
        out = forgotten.left_out(users, np.full(1_000_000, NOW))
        assert time.process_time() - begun < 3
        np.testing.assert_array_equal(out, users == 17)


class TestFiles:
    NAME = "somebody-nobody-else-is-called"

    @pytest.fixture(autouse=True)
    def _sqlite(self, monkeypatch):
        monkeypatch.delenv(URL, raising=False)

    def held(self, folder):
        """Files in which the name stands."""
        return sorted(path.name for path in folder.iterdir() if self.NAME.encode() in path.read_bytes())

    def test_no_byte_is_left(self, tmp_path, event):
        """Many users, so that pages are split and moved; a line in quarantine; another connection that stays open."""
        with open_store(tmp_path) as opened, open_store(tmp_path) as other:
            for number in range(4_000):
                if number % 100 == 0:
                    opened.append([event(number, user_id=self.NAME, event_id=f"e{number}{self.NAME}")], "a test")
            opened.append(
                (event(n, user_id=self.NAME if n % 7 == 0 else f"u{n}") for n in range(4_000, 9_000)), "a test"
            )
            opened.append([Malformed(1, f"{{{self.NAME}", "no JSON"), Malformed(2, "{", "no JSON")], "a test")
            assert other.holds(self.NAME)
            assert set(self.held(tmp_path)) == {"feedback.db-wal"}
            opened.forget(self.NAME)
            assert self.held(tmp_path) == []
            assert not other.holds("u4004")  # this was the user's
            assert other.holds("u4003")
        assert self.held(tmp_path) == []
        with sqlite3.connect(tmp_path / "feedback.db") as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()

    def test_a_store_of_before_the_list(self, tmp_path, event):
        with open_store(tmp_path) as opened, opened.transaction() as connection:
            opened.append([event(1)], "a test")
            connection.exec_driver_sql("DROP TABLE feedback_forgotten")
            connection.exec_driver_sql("DROP TABLE feedback_salt")
        with open_store(tmp_path) as opened:
            assert opened.forgotten() == Forgotten()
            assert opened.forget("u1").events == 1

    def test_a_reader_that_stays(self, tmp_path, event, monkeypatch):
        """Its snapshot keeps the journal; it is told, and the next try finishes."""
        monkeypatch.setattr("recsys.feedback.database.WAIT", 0.1)
        with open_store(tmp_path) as opened:
            opened.append([event(1, user_id=self.NAME)], "a test")
            reader = sqlite3.connect(tmp_path / "feedback.db", isolation_level=None)
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM feedback_events").fetchone()
            with pytest.raises(InputError, match=r"in use|locked"):
                opened.forget(self.NAME)
            assert self.held(tmp_path) != []
            reader.close()
            opened.forget(self.NAME)
            assert self.held(tmp_path) == []
