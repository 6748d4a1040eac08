"""The feedback store, on SQLite and on PostgreSQL: counts, order, duplicates, quarantine, the join, many at once."""

import random
import sys
import threading
import time
from dataclasses import asdict

import pytest
import sqlalchemy as sa

from recsys.errors import InputError
from recsys.feedback import store as module
from recsys.feedback.database import URL, Database
from recsys.feedback.event import Event, Malformed
from recsys.feedback.store import Counts, Shown, open_store


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch):
    monkeypatch.setattr(module, "BATCH", 10)


def kept(feedback, watermark=0):
    return [event for batch in feedback.after(watermark) for event in batch.events]


def numbers(events):
    return [int(event.event_id[1:]) for event in events]


class TestAppend:
    def test_what_goes_in_comes_out(self, feedback, event):
        full = Event("e2", "Ä", "'", "rating", 0, 4.5, "r1", "7", 3, 0.125)
        assert feedback.append([event(1), full], "a test") == Counts(inserted=2)
        assert kept(feedback) == [event(1), full]

    def test_it_is_there_when_the_store_is_opened_again(self, folder, event):
        for number in (1, 2):
            with open_store(folder) as opened:
                opened.append([event(number)], "a test")
        with open_store(folder) as opened:
            assert numbers(kept(opened)) == [1, 2]

    def test_duplicates_are_counted_and_the_first_stays(self, feedback, event):
        feedback.append([event(1), event(2)], "a test")
        again = [event(2, user_id="other"), event(3), event(3), event(3)]
        assert feedback.append(again, "a test") == Counts(inserted=1, duplicates=3)
        assert kept(feedback) == [event(1), event(2), event(3)]

    def test_nothing(self, feedback):
        assert feedback.append([], "a test") == Counts()
        assert kept(feedback) == []

    def test_acknowledgement_after_every_batch(self, feedback, event):
        told = []

        def look(counts):
            told.append(counts.inserted)
            assert len(kept(feedback)) == counts.inserted

        feedback.append(map(event, range(25)), "a test", look)
        assert told == [10, 20, 25]

    def test_a_failure_between_batches_keeps_those_before(self, feedback, event):
        def failing():
            yield from map(event, range(15))
            raise OSError("the disk of the sender")

        with pytest.raises(OSError, match="of the sender"):
            feedback.append(failing(), "a test")
        assert numbers(kept(feedback)) == list(range(10))


class TestQuarantine:
    LINES = (
        Malformed(2, "e1,anna", "values seen: 2, columns: 5", "event_id,user_id"),
        Malformed(4, "{\0", "no JSON: …", None),
    )

    def test_lines_with_reason_source_and_time(self, feedback, event):
        before = int(time.time())
        counts = feedback.append([event(1), *self.LINES], "log.csv")
        assert counts == Counts(inserted=1, quarantined=2, examples=self.LINES)
        assert counts.read == 3
        first, second = feedback.quarantined()
        assert before <= first.pop("received") <= time.time()
        expected = {"source": "log.csv", "line": 2, "header": "event_id,user_id", "raw": "e1,anna"}
        assert first == {**expected, "reason": "values seen: 2, columns: 5"}
        assert (second["line"], second["raw"], second["header"]) == (4, r"{\x00", None)

    def test_a_line_is_kept_once_and_counted_every_time(self, feedback):
        for source in ("log.csv", "the same again"):
            assert feedback.append(self.LINES, source).quarantined == 2
        assert [(line["source"], line["line"]) for line in feedback.quarantined()] == [("log.csv", 2), ("log.csv", 4)]

    def test_only_the_first_five_are_shown(self, feedback):
        lines = [Malformed(number, f"{number}", "a reason") for number in range(33)]
        counts = feedback.append(lines, "log.csv")
        assert counts.quarantined == len(feedback.quarantined()) == 33
        assert counts.examples == tuple(lines[:5])


class TestWatermark:
    def test_batches_in_the_order_of_arrival(self, feedback, event):
        arrived = random.Random(0).sample(range(100), 25)
        feedback.append(map(event, arrived), "a test")
        batches = list(feedback.after())
        assert [len(batch.events) for batch in batches] == [10, 10, 5]
        assert numbers(kept(feedback)) == arrived
        assert numbers(kept(feedback, batches[0].watermark)) == arrived[10:]
        assert list(feedback.after(batches[-1].watermark)) == []

    def test_no_number_is_given_twice(self, feedback, event):
        """The newest event is deleted; what comes next still lies after the watermark."""
        feedback.append(map(event, range(3)), "a test")
        watermark = list(feedback.after())[-1].watermark
        with feedback.transaction(writes=True) as connection:
            connection.execute(module.EVENTS.delete().where(module.EVENTS.c.event_id == "e2"))
        feedback.append([event(3)], "a test")
        assert numbers(kept(feedback, watermark)) == [3]

    def test_a_slow_writer_is_not_overtaken(self, feedback, event):
        """Else a reader could pass over numbers that are drawn, but not committed yet."""
        other = threading.Thread(target=feedback.append, args=([event(2)], "a test"))
        with feedback.transaction(writes=True) as connection:
            connection.execute(module.EVENTS.insert(), asdict(event(1)))
            other.start()
            other.join(timeout=0.3)
            assert kept(feedback) == []
        other.join()
        assert numbers(kept(feedback)) == [1, 2]

    def test_writers_at_once_lose_and_double_nothing_and_a_reader_sees_all(self, feedback, event):
        """Four writers with the same events in different orders, and a reader that never looks back."""
        total = Counts()
        lock = threading.Lock()

        def write(seed):
            nonlocal total
            order = random.Random(seed).sample(range(200), 200)
            counts = feedback.append(map(event, order), "a test")
            with lock:
                total += counts

        writers = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
        for writer in writers:
            writer.start()
        seen, watermark, last_look = [], 0, False
        while not last_look:
            last_look = not any(writer.is_alive() for writer in writers)
            for batch in feedback.after(watermark):
                seen, watermark = seen + numbers(batch.events), batch.watermark
        assert sorted(seen) == list(range(200))
        assert (total.inserted, total.duplicates) == (200, 600)


class TestShown:
    def test_impressions_with_their_responses(self, feedback, event):
        """Of one answer with three items: one clicked then bought, one left, one clicked in another answer."""
        impressions = [
            event(position, event_type="impression", request_id="r1", item_id=f"i{position}", position=position)
            for position in (1, 2, 3)
        ]
        click = event(11, request_id="r1", item_id="i1")
        buy = event(12, request_id="r1", item_id="i1", event_type="purchase")
        elsewhere = event(13, request_id="r2", item_id="i3")
        unasked = event(14, item_id="i2")
        feedback.append([click, *impressions, buy, elsewhere, unasked], "a test")
        assert list(feedback.shown()) == [
            Shown(impressions[0], (click, buy)),
            Shown(impressions[1], ()),
            Shown(impressions[2], ()),
        ]

    def test_batch_by_batch(self, feedback, event):
        impressions = [event(n, event_type="impression", request_id=f"r{n}") for n in range(25)]
        clicks = [event(100 + n, request_id=f"r{n}", item_id=f"i{n}") for n in range(0, 25, 2)]
        feedback.append([*impressions, *clicks], "a test")
        found = list(feedback.shown())
        assert [one.impression for one in found] == impressions
        assert [event for one in found for event in one.responses] == clicks
        assert [len(one.responses) for one in found] == [1, 0] * 12 + [1]

    def test_from_a_second_on_with_all_that_was_done_about_it(self, feedback, event):
        impressions = [event(n, event_type="impression", request_id=f"r{n}") for n in (3, 30, 12)]
        click = event(11, request_id="r12", item_id="i12")
        feedback.append([click, *impressions], "a test")
        found = list(feedback.shown(since=1_700_000_012))
        assert found == [Shown(impressions[1], ()), Shown(impressions[2], (click,))]


class TestOpening:
    def test_many_at_once_make_it_once(self, folder, event):
        problems = []

        def use(number):
            try:
                with open_store(folder) as opened:
                    opened.append([event(number)], "a test")
            except Exception as error:
                problems.append(error)

        threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        with open_store(folder) as opened:
            assert sorted(numbers(kept(opened))) == list(range(8))

    def test_sqlite_writes_ahead_and_to_the_disk(self, tmp_path, monkeypatch):
        monkeypatch.delenv(URL, raising=False)
        with open_store(tmp_path) as opened, opened.transaction() as connection:
            pragma = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
            }
        assert pragma == {"journal_mode": "wal", "synchronous": 2}

    def test_a_file_that_is_no_database(self, tmp_path, monkeypatch):
        monkeypatch.delenv(URL, raising=False)
        (tmp_path / "feedback.db").write_text("Once upon a time there was a file." * 99)
        with pytest.raises(InputError, match=r"store .*feedback\.db does not answer: file is not a database; what was"):
            open_store(tmp_path)

    def test_a_password_among_the_parameters_is_not_told(self):
        engine = sa.create_engine("postgresql+psycopg://h/db?user=me&password=sesame&sslmode=require")
        assert Database(engine).where == "postgresql://h/db?password=***&sslmode=require&user=me"

    def test_a_folder_that_cannot_be_made(self, tmp_path, monkeypatch):
        monkeypatch.delenv(URL, raising=False)
        (tmp_path / "file").touch()
        with pytest.raises(InputError, match="file/store cannot be written: Not a directory; choose another folder"):
            open_store(tmp_path / "file" / "store")

    @pytest.mark.parametrize(
        ("url", "seen"),
        [
            ("secret", "seen something that is no URL"),
            ("postgresql://me:secret@host:port/db", "seen something that is no URL"),
            ("mysql://me:secret@host/db", "seen mysql://…; without it, events go to STORE/feedback.db"),
        ],
    )
    def test_a_wrong_url_is_told_without_its_password(self, tmp_path, monkeypatch, url, seen):
        monkeypatch.setenv(URL, url)
        with pytest.raises(InputError) as told:
            open_store(tmp_path)
        assert str(told.value) == f"{URL}: expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE; {seen}"

    def test_nobody_there(self, tmp_path, monkeypatch):
        monkeypatch.setenv(URL, "postgresql://me:secret@127.0.0.1:1/db")
        with pytest.raises(InputError, match="does not answer: connection failed") as told:
            open_store(tmp_path)
        assert "postgresql://me:***@127.0.0.1:1/db" in str(told.value)
        assert "secret" not in str(told.value)

    def test_without_the_driver(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "psycopg", None)
        monkeypatch.setenv(URL, "postgresql://127.0.0.1/db")
        with pytest.raises(InputError, match=r"needs psycopg: pip install -c constraints.txt -e '\.\[postgres\]'"):
            open_store(tmp_path)
