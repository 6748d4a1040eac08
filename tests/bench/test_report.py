"""From figures to the table: ratios of medians, targets met and missed."""

import math

import pytest

from bench import report
from bench.results import Figure, Options, Result, current, read, save

MEASURED = {
    "command": "python -m bench als",
    "date": "2026-01-02 03:04 UTC",
    "commit": "0123456789",
    "threads": 2,
    "runs": 3,
    "machine": "Linux, a processor",
    "cpus": 2,
    "memory_gib": 8.0,
    "python": "3.11.7",
}


def result(*figures, row="als", name="yelp", **raw):
    return Result(row, name, list(figures), {"implicit": "0.7.3"}, raw, dict(MEASURED))


class TestFigure:
    def test_its_value_is_the_ratio_of_medians(self):
        assert Figure("fit", [1.0, 2.0, 9.0], [4.0, 3.0, 5.0]).value == 2.0 / 4.0

    def test_without_a_peer_its_value_is_the_median_of_ours(self):
        assert Figure("run", [10.0, 30.0, 20.0]).value == 20.0

    @pytest.mark.parametrize(
        ("target", "met"),
        [({"least": 0.5}, True), ({"least": 0.51}, False), ({"most": 0.5}, True), ({"most": 0.49}, False), ({}, None)],
    )
    def test_a_target_is_met_missed_or_not_set(self, target, met):
        assert Figure("fit", [1.0], [2.0], **target).met is met

    def test_what_was_never_reached_misses(self):
        assert Figure("fit to equal quality", [math.inf], [2.0], most=1.0).met is False

    def test_a_peer_that_never_got_there_is_no_ratio(self):
        assert math.isnan(Figure("fit", [1.0], [math.inf]).value)


class TestTable:
    def test_a_line_has_medians_ranges_ratio_and_verdict(self):
        figure = Figure("fit", [1.0, 2.0, 3.0], [4.0], most=0.6, unit="s")
        expected = "| als | yelp | fit, s | 2 (1 – 3) | 4 | 0.5 | ≤ 0.6 | met |"
        assert report.line(result(), figure) == expected

    def test_a_miss_is_bold(self):
        line = report.line(result(), Figure("fit", [math.inf], [4.0], most=1.0))
        assert line == "| als | yelp | fit | never | 4 | **never** | ≤ 1 | **missed** |"

    def test_what_has_no_target_is_told(self):
        assert report.line(result(), Figure("memory", [5.0])) == "| als | yelp | memory | 5 |  |  |  |  |"


def test_rows_stand_in_the_order_of_the_table_whatever_was_measured_first():
    text = report.render([result(row="ease"), result(name="yelp"), result(name="lastfm")])
    titles = [line for line in text.splitlines() if line.startswith("## ")]
    assert titles == ["## als on lastfm", "## als on yelp", "## ease on yelp"]


def test_a_section_tells_how_it_was_measured_and_every_run():
    figure = Figure("fit", [1.0, 2.0], [4.0], note="after 3 sweeps")
    text = report.render([result(figure, chosen={"reg": 1.5}, trials=list(range(500)))])
    assert "`python -m bench als`, 2026-01-02 03:04 UTC, commit 0123456789, 2 threads, 3 runs." in text
    assert "implicit 0.7.3" in text
    assert "- fit: ours 1, 2; peer 4 (after 3 sweeps)" in text
    assert '- chosen: `{"reg": 1.5}`' in text
    assert "trials" not in text  # too long: it stays in the JSON


def test_notes_stand_at_the_end(tmp_path):
    (tmp_path / "NOTES.md").write_text("## Missed\n")
    written = report.write([result()], tmp_path / "NOTES.md", tmp_path / "RESULTS.md").read_text()
    assert written.startswith("# Results of the bench\n")
    assert written.endswith("\n\n## Missed\n")


def test_a_result_comes_back_as_it_was_saved(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.results.RESULTS", tmp_path)
    path = save(result(Figure("fit", [math.inf, 1.0], [2.0], most=1.0), chosen={"reg": 1.5}), Options(runs=5))
    assert path.name == "als-yelp.json"
    back = read(path)
    assert back.figures == [Figure("fit", [math.inf, 1.0], [2.0], most=1.0)]
    assert back.raw == {"chosen": {"reg": 1.5}}
    assert back.measured["runs"] == 2, "those there were, not those asked for"


def test_a_row_is_current_until_the_code_changes(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.results.RESULTS", tmp_path)
    assert current("als", "yelp") is None
    save(result(Figure("fit", [1.0])), Options())
    assert current("als", "yelp").figures == [Figure("fit", [1.0])]
    monkeypatch.setattr("bench.results.code", lambda: "another")
    assert current("als", "yelp") is None
