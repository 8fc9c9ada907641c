"""Where the page listens, checked before any work begins, and how this process reaches its own page past a proxy.

Nothing here imports Gradio, whose modules make HTTP clients while they are imported and fail where a proxy cannot be used.
"""

from __future__ import annotations

import errno
import importlib.util
import ipaddress
import os
import socket
import sys
from collections.abc import Iterable
from urllib.request import getproxies_environment

LOOPBACK = ("127.0.0.1", "localhost", "::1")
SCHEMES = ("http", "https", "socks5", "socks5h")
"""Of proxies, those that httpx can use, the last two with the package ``socksio``."""


class AddressError(Exception):
    """The page cannot listen at this address; the message is one sentence."""


def host_name(given: str) -> str:
    """The host as ``socket`` takes it: an IPv6 address may stand in brackets.

    Raises:
        AddressError: if it is empty.
    """
    host = given.strip().removeprefix("[").removesuffix("]")
    if not host:
        raise AddressError("the host is empty; 127.0.0.1 is this machine alone, 0.0.0.0 is every network that it is in")
    return host


def free_port(host: str, port: int | None, first: int = 7860, count: int = 100) -> int:
    """A port of ``host`` that can be listened at: ``port``, or where that is None the first free one of ``count`` from ``first``.

    Raises:
        AddressError: if the host is not known or not of this machine, or the port is taken or not allowed.
    """
    if port is not None and not 0 < port < 65536:
        raise AddressError(f"{port} is no port; ports go from 1 to 65535")
    try:
        family, *_, place = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError) as error:
        raise AddressError(f"there is no host {host!r}; 127.0.0.1 is this machine alone, 0.0.0.0 every network it is in") from error
    for tried in range(first, first + count) if port is None else [port]:
        # Gradio looks at 127.0.0.1 as well before it starts, whatever the host
        others = [] if host in ("127.0.0.1", "0.0.0.0") else [(socket.AF_INET, ("127.0.0.1", 0))]
        try:
            for kind, where in [(family, place), *others]:
                _bind(kind, (where[0], tried, *where[2:]))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise AddressError(f"{host} is not an address of this machine") from error
            if port is None and error.errno == errno.EADDRINUSE:
                continue
            if error.errno == errno.EADDRINUSE:
                raise AddressError(f"port {tried} is taken by another program; choose another with --port") from error
            raise AddressError(f"port {tried} of {host} cannot be used ({error.strerror}); choose another with --port") from error
        return tried
    raise AddressError(f"the ports {first} to {first + count - 1} are all taken; choose another with --port")


def _bind(family: int, place: tuple) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if os.name == "posix":  # elsewhere it would let a second program take the port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(place)


PRIVATE = "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,::1,fc00::/7"


def trusted_proxies(given: str | None) -> str:
    """The proxies whose ``X-Forwarded-For`` is believed, as uvicorn takes them: addresses and networks, joined by commas.

    ``given``: what the user says; None: nothing. Then it is FORWARDED_ALLOW_IPS, or on a Space, which cannot be reached but through
    the Hub's own proxies, every private network, or else none: anybody may write such a header.

    Raises:
        AddressError: if one of them is neither.
    """
    named = os.environ.get("FORWARDED_ALLOW_IPS", PRIVATE if os.environ.get("SPACE_ID") else "") if given is None else given
    proxies = [name.strip() for name in named.split(",") if name.strip()]
    for name in proxies:
        try:
            if name != "*":
                ipaddress.ip_network(name, strict=False)
        except ValueError as error:
            raise AddressError(f"the proxy {name!r} is neither an address nor a network such as 10.0.0.0/8") from error
    return "*" if "*" in proxies else ",".join(proxies)


def bypass_proxies(hosts: Iterable[str] = LOOPBACK) -> None:
    """Let this process reach ``hosts`` without the proxy that the environment names: Gradio asks its own page once at the start."""
    if not set(getproxies_environment()) - {"no"}:
        return  # on macOS and Windows, the variable alone would hide the proxies of the system's settings
    listed = [name.strip() for name in getproxies_environment().get("no", "").split(",") if name.strip()]
    wanted = ",".join(dict.fromkeys([*listed, *hosts]))
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = wanted


def drop_unusable_proxies() -> list[str]:
    """Take proxies that httpx cannot use out of the environment; returns the names of the variables.

    The page needs no network. What it would fetch from the Hub must not go around the proxy, so the Hub is not asked any more.
    """
    dropped = []
    for name in list(os.environ):
        if name.lower() not in ("http_proxy", "https_proxy", "all_proxy"):
            continue
        scheme, colon, _ = os.environ[name].partition("://")
        scheme = scheme.lower() if colon else "http"
        if scheme not in SCHEMES or scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
            dropped.append(name)
            del os.environ[name]
    if dropped:
        os.environ["HF_HUB_OFFLINE"] = "1"
    return dropped


def prepare() -> None:
    """Before Gradio is imported: proxies are no obstacle."""
    dropped = drop_unusable_proxies()
    if dropped:
        print(f"note: {' and '.join(dropped)} cannot be used, so nothing is fetched from the Hub; "
              "SOCKS 5 proxies can after pip install socksio", file=sys.stderr)  # fmt: skip
    bypass_proxies()
