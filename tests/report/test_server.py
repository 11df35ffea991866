"""The served report: this machine alone, two addresses, always the run as it is."""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.report.specifications import layers, rows_of
from tests.report.synthetic import write_run

from interlaw.errors import InterlawError
from interlaw.recommendation import recommend
from interlaw.report import ExplorerServer, ReportServer
from interlaw.report.live import MOST_POINTS, LiveRun
from interlaw.report.server import LoopbackServer
from interlaw.runs import RunFolder

PENDING = {(50_000, depth, 0): "pending" for depth in (1, 2, 3, 4)}


def small_run(path: Path, **options: Any) -> Path:
    return write_run(path, budgets=(50_000,), depths=(1, 2, 3, 4), seeds=(0,), views=("loss",), **options)


def end_trial(folder: Path, finished: Path) -> None:
    """Puts the record and curve of an equal run's trial in place."""
    for trial in RunFolder(folder).trials():
        if not (trial.path / "record.json").exists():
            for name in ("curve.csv", "record.json"):
                (trial.path / name).write_bytes((finished / "trials" / trial.key / name).read_bytes())
            return


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_run(tmp_path_factory.mktemp("finished") / "run")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ReportServer]:
    with ReportServer(small_run(tmp_path / "run", status=PENDING)) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def ask(server: LoopbackServer, path: str, *, method: str = "GET", host: str | None = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    connection.request(method, path, headers={} if host is None else {"Host": host})
    answer = connection.getresponse()
    body = answer.read().decode()
    assert answer.getheader("Access-Control-Allow-Origin") is None
    connection.close()
    return answer.status, body


def test_waits_for_the_first_trial_then_reports(server: ReportServer, tmp_path: Path, finished: Path) -> None:
    status, page = ask(server, "/")
    assert status == 200
    assert "No trial has ended yet" in page
    first = json.loads(ask(server, "/status.json")[1])
    assert (first["done"], first["pending"], first["losses"]) == (0, 4, [])
    assert first["sentence"] == "0 done, 0 running, 4 waiting. Nothing runs at the moment."
    for _ in range(4):
        end_trial(tmp_path / "run", finished)
    server.run._read, server.run._made = (0.0, {}), (0.0, *server.run._made[1:])  # do not wait
    second = json.loads(ask(server, "/status.json")[1])
    assert (second["done"], second["pending"]) == (4, 0)
    assert second["version"] != first["version"]
    page = ask(server, "/")[1]
    assert 'id="verdict"' in page
    assert second["version"] in page
    assert ask(server, "/")[1] is not None


def test_one_answer_is_good_for_a_while(server: ReportServer, tmp_path: Path, finished: Path) -> None:
    first = ask(server, "/status.json")[1]
    server.run._read = (server.run._read[0] + 60, server.run._read[1])
    end_trial(tmp_path / "run", finished)
    assert ask(server, "/status.json")[1] == first


def test_a_page_that_took_long_is_good_for_a_while_and_the_status_leads_to_no_other(
    tmp_path: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = small_run(tmp_path / "run", status=PENDING)
    live = LiveRun(folder)
    clock = [100.0]
    monkeypatch.setattr("interlaw.report.live.time.monotonic", lambda: clock[0])
    made: list[str] = []

    def slow(run: RunFolder, now: str) -> str:
        clock[0] += 9.0
        made.append(now)
        return f"page {now}"

    monkeypatch.setattr(live, "_page", slow)
    first = live.status()["version"]
    assert live.page() == f"page {first}"
    for passed in (0.0, 20.0, 20.0):
        clock[0] += passed
        end_trial(folder, finished)
        assert live.status()["version"] == first
        assert live.page() == f"page {first}"
    assert len(made) == 1
    clock[0] += 6.0
    second = live.status()["version"]
    assert second != first
    assert live.page() == live.page() == f"page {second}"
    assert len(made) == 2


@pytest.mark.parametrize(
    ("path", "method", "host", "expected"),
    [
        ("/", "GET", "evil.example", 403),
        ("/status.json", "GET", "evil.example:80", 403),
        ("/", "GET", "", 403),
        ("/", "POST", None, 501),
        ("/", "PUT", None, 501),
        ("/recipe.toml", "GET", None, 404),
        ("/../../etc/passwd", "GET", None, 404),
        ("/favicon.ico", "GET", None, 204),
    ],
)
def test_nothing_else_is_served(server: ReportServer, path: str, method: str, host: str | None, expected: int) -> None:
    assert ask(server, path, method=method, host=host)[0] == expected


def test_localhost_is_this_machine(server: ReportServer) -> None:
    assert ask(server, "/", host=f"localhost:{server.server_port}")[0] == 200
    assert server.server_address[0] == "127.0.0.1"


def test_a_folder_that_went_away(server: ReportServer, tmp_path: Path) -> None:
    (tmp_path / "run" / "recipe.toml").unlink()
    assert ask(server, "/")[0] == 503
    assert "expected a run folder" in json.loads(ask(server, "/status.json")[1])["error"]


def test_running_trials_gather_their_losses(tmp_path: Path) -> None:
    folder = small_run(tmp_path / "run", status=PENDING)
    trial = RunFolder(folder).trials()[0]
    live = LiveRun(folder)
    with trial.lock() as free:
        assert free
        for step in range(0, 3 * MOST_POINTS, 2):
            trial.write_progress({"step": step, "steps": 1000, "train_loss": 5.0 - 0.001 * step})
            live._running(trial)
        found = live._status()
    assert found["said"][0].endswith(f"step {3 * MOST_POINTS - 2:,} of 1,000, training loss 4.402")
    losses = [row["loss"] for row in found["losses"]]
    assert len(losses) <= MOST_POINTS + 1
    assert losses[0] == 5.0
    shares = [row["share"] for row in found["losses"]]
    assert shares == sorted(set(shares))


def test_a_failed_trial_is_named_by_its_size_shape_and_seed(tmp_path: Path) -> None:
    found = LiveRun(small_run(tmp_path / "run", status={(50_000, 2, 0): "failed"}))._status()
    (said,) = found["said"]
    assert re.fullmatch(r"50k parameters, 2 x \d+, seed 0: the loss became NaN at step 40", said)


def test_a_port_that_cannot_be_had(server: ReportServer, tmp_path: Path) -> None:
    with pytest.raises(InterlawError, match="expected to listen on port"):
        ReportServer(tmp_path / "run", port=server.server_port)
    with pytest.raises(InterlawError, match="expected a port from 0"):
        ReportServer(tmp_path / "run", port=70_000)
    with pytest.raises(InterlawError, match="expected a run folder"):
        ReportServer(tmp_path / "none")


def test_the_explorer_answers_as_recommend_does() -> None:
    with ExplorerServer() as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        try:
            query = "params=1B&family=gpt&vocab_size=50257&head_dim=64&num_candidates=3"
            said = json.loads(ask(found, f"/answer.json?{query}")[1])
            expected = recommend(params="1B", family="gpt", vocab_size=50_257, head_dim=64, num_candidates=3)
            for candidate in expected.candidates:
                assert f"{candidate.shape.params:,}" in said["html"]
            pick = expected.candidates[0].shape
            assert f'data-shape="{pick.depth}x{pick.width}" data-pick="yes"' in said["html"]
            assert said["error"] == ""
            cost = said["panels"]["cost:0"]
            drawn = rows_of(cost, layers(cost)[-1])
            assert [row["ratio"] for row in drawn] == pytest.approx(
                [candidate.shape.ratio for candidate in expected.candidates], rel=1e-5
            )
            for wrong, message in (
                ("params=lots", "lots"),
                ("context=x", "expected a whole number as context"),
                ("a=1", "expected a field among params"),
            ):
                assert message in json.loads(ask(found, f"/answer.json?{wrong}")[1])["error"]
            status, page = ask(found, "/?params=1B")
            assert status == 200
            # networks of transformers are counted while the page is there: its script asks
            waiting = ask(found, "/?family=hf:qwen3")[1]
            assert '<input name="family" value="hf:qwen3"' in waiting
            assert '<div id="answer"></div>' in waiting
            assert '"config":{"background":"#ffffff"' in waiting  # the look of the figures that its script then draws
            assert '<option value="hf:qwen3">' in waiting
            assert 'value="1B"' in page
            assert ask(found, "/answer.json?" + "a=1&" * 1000)[0] == 404
            assert "<script>alert" not in ask(found, "/?params=%3Cscript%3Ealert(1)%3C/script%3E")[1]
        finally:
            found.shutdown()
            thread.join()
