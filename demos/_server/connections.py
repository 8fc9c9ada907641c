"""Connections: how long one may take to say what it wants, and how many an address may have."""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from typing import Any

from uvicorn import config
from uvicorn.protocols.http.auto import AutoHTTPProtocol

HEAD = 15.0
"""Seconds from the first byte of a request, or from the beginning of a connection, to the end of its headers."""
MAX_CONNECTIONS = 300
"""Of one address; a lecture hall may share one, and each of its browsers opens up to six."""

_open: Counter[str] = Counter()


def is_among(host: str, proxies: str) -> bool:
    """Whether an address is one of these addresses and networks, which are joined by commas."""
    if proxies == "*":
        return True
    try:
        address = ipaddress.ip_address(host)
        return any(address in ipaddress.ip_network(name.strip(), strict=False) for name in proxies.split(",") if name.strip())
    except ValueError:
        return False


class Connection(AutoHTTPProtocol):
    """uvicorn's, closed where the headers of a request do not come, or an address other than a trusted proxy has too many."""

    _due: asyncio.TimerHandle | None = None
    _counted = ""

    def connection_made(self, transport: Any) -> None:
        """A connection begins."""
        super().connection_made(transport)
        host = self.client[0] if self.client else ""
        proxies = self.config.forwarded_allow_ips
        if host and not is_among(host, proxies if isinstance(proxies, str) else ",".join(proxies)):
            self._counted = host
            _open[host] += 1
            if _open[host] > MAX_CONNECTIONS:
                transport.close()
                return
        self._wait()

    def data_received(self, data: bytes) -> None:
        """A part of a request came."""
        super().data_received(data)
        if self._at_work():
            self._stop_waiting()
        elif self._due is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """A connection ended."""
        self._stop_waiting()
        if self._counted:
            _open[self._counted] -= 1
            if not _open[self._counted]:
                del _open[self._counted]
            self._counted = ""
        super().connection_lost(exc)

    def _at_work(self) -> bool:
        """Whether a request is known and not answered yet, or the connection is of another kind by now."""
        return self.transport.get_protocol() is not self or self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        self._due = self.loop.call_later(HEAD, self._end)

    def _stop_waiting(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _end(self) -> None:
        self._due = None
        if not self._at_work():
            self.transport.close()


def install() -> None:
    """Have uvicorn use it in the servers that are started from now on; Gradio starts its own and takes no word on that."""
    config.HTTP_PROTOCOLS["auto"] = f"{__name__}:{Connection.__name__}"
