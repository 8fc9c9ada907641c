"""Which hosts the page answers to, and what it tells browsers not to do with it."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HERE = ("127.0.0.1", "localhost", "[::1]")
"""How this machine calls itself; Gradio asks its own page by these names."""
FRAMES = ("'self'", "https://huggingface.co", "https://*.hf.space", *(f"http://{name}:*" for name in HERE[:2]))
"""Whose pages may show this one in a frame: the Hub, and what runs on the same machine."""
POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors {frames}"
)
"""Nothing is fetched from elsewhere; Gradio's page writes scripts and styles into itself."""


class Guarded:
    """Middleware that answers to some hosts only, and sends the headers above.

    ``hosts``: names without a port, ``*.example.org`` for all below one; none: the page answers to any name.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str] = ()) -> None:
        self.app, self.hosts = app, [host.lower() for host in hosts]
        frames = [*FRAMES, *(f"{scheme}://{host}:*" for host in self.hosts for scheme in ("https", "http"))]
        self.sent = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": POLICY.format(frames=" ".join(frames))}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.sent.items():
                    headers[name] = value
            await send(message)

        sent = Headers(scope=scope)
        names = [sent.get("host", ""), *([sent["x-forwarded-host"]] if "x-forwarded-host" in sent else [])]
        if not all(map(self.answers_to, names)):
            await PlainTextResponse("This gallery does not answer to that name.", 421)(scope, receive, guarded)
            return
        await self.app(scope, receive, guarded)

    def answers_to(self, host: str) -> bool:
        """Whether a ``Host`` header names this page."""
        name = host.lower()
        name = name[: name.find("]") + 1] if name.startswith("[") else name.partition(":")[0]
        return not self.hosts or name in HERE or any(
            name == allowed or allowed.startswith("*.") and name.endswith(allowed[1:]) for allowed in self.hosts
        )  # fmt: skip
