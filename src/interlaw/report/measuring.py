"""The explorer's measurement: the shapes of one answer timed in a thread, while the page asks how far it is."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Mapping
from typing import Any

from interlaw.errors import InterlawError
from interlaw.laws import LawFit
from interlaw.recommendation import Recommendation, recommend
from interlaw.report.explorer import mistake, read_fields, show


class Measuring:
    """One measurement at a time: two would slow each other. Safe to ask from several threads.

    Args:
        fit: Your own law, as in `recommend`.
    """

    def __init__(self, *, fit: LawFit | None = None) -> None:
        self._fit = fit
        self._lock = threading.Lock()
        self._asked: dict[str, str] = {}
        self._progress = ""  # empty while nothing is timed
        self._found: dict[str, Any] = {}

    def start(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """Starts to time the shapes of the form's values, or joins the measurement of the same values.

        Returns:
            `progress`, or `error`: why they cannot be timed here and now.
        """
        try:
            with self._lock:
                if not self._progress:
                    self._start(asked)
        except InterlawError as error:
            return mistake(str(error))
        return self.tell(asked)

    def tell(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """`progress` while the shapes are timed; then the answer with their times."""
        with self._lock:
            if self._asked != dict(asked):
                doing = f"the shapes of other values ({self._progress})" if self._progress else "none of these values"
                return mistake(f"expected one measurement at a time, found {doing}; wait, then measure again")
            return {"progress": self._progress, "error": ""} if self._progress else self._found

    def _start(self, asked: Mapping[str, str]) -> None:
        from interlaw.recommendation import require_timing  # it brings torch

        result = recommend(**read_fields(asked), fit=self._fit)
        require_timing(result.candidates)
        self._asked, self._found = dict(asked), {}
        self._progress = f"0 of {len(result.candidates)}"
        threading.Thread(target=self._run, args=(result,), daemon=True).start()

    def _run(self, result: Recommendation) -> None:
        from interlaw.recommendation import timed

        try:
            found = show(timed(result, say=self._say))
        except InterlawError as error:
            found = mistake(str(error))
        except Exception as error:
            traceback.print_exc()  # the terminal shows where
            found = mistake(f"the measurement failed: {type(error).__name__}: {error}")
        self._end(found)

    def _say(self, words: str) -> None:
        with self._lock:
            self._progress = words

    def _end(self, found: dict[str, Any]) -> None:
        with self._lock:
            self._progress, self._found = "", found
