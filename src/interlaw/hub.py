"""The Hugging Face hub, or only what is cached of it where it is out of reach."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit
from urllib.request import getproxies


@contextlib.contextmanager
def hub_or_cache() -> Iterator[None]:
    """Inside, the hub's libraries read from their cache alone when the hub's name does not resolve.

    Without a network they would ask for half a minute before they say so.
    """
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not _resolves(urlsplit(constants.ENDPOINT).hostname)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _resolves(host: str | None) -> bool:
    """Whether a name has an address; a proxy, where one is set, would look it up itself."""
    if getproxies():
        return True
    try:
        return bool(socket.getaddrinfo(host, None))
    except OSError:
        return False
