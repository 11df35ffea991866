"""What `measure`, `layers` and `diff` are about, with what people should know of it printed."""

from __future__ import annotations

from typing import Any

from interlaw.cli.loading import busy
from interlaw.cli.output import make_console
from interlaw.subject import Given, Subject
from interlaw.subject import open_subject as open_quietly
from interlaw.subject import read_inputs as read_quietly


def open_subject(name: str, *, device: str | None, trust_remote_code: bool) -> Subject:
    """Loads MODEL and prints the notes on it."""
    with busy(f"loading {name}"):
        subject = open_quietly(name, device=device, trust_remote_code=trust_remote_code)
    for note in subject.notes:
        make_console().print(f"note: {note}")
    return subject


def read_inputs(subject: Subject, **options: Any) -> Given:
    """Reads the inputs and prints which text was read, and the notes on it; options as in `interlaw.subject`."""
    with busy("reading the inputs"):
        given = read_quietly(subject, **options)
    if given.text is not None:
        make_console().print(f"text: {given.text}")
    for note in given.notes:
        make_console().print(f"note: {note}")
    return given
