"""A real S3 server on loopback, and a proxy before it that refuses, slows, cuts, corrupts and denies requests."""

from __future__ import annotations

import http.client
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["FAULTS", "Proxy", "object_store"]

ERROR = '<?xml version="1.0"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'


@dataclass
class Proxy:
    """What the proxy does to the next requests, and what came through it."""

    port: int = 0
    upstream: int = 0
    fault: str = ""
    """The fault that is done; "" = none."""
    only: Callable[[str, str], bool] = lambda method, path: True
    """The requests, by method and path, that it is done to."""
    times: int = 10**9
    """How often it is still done."""
    delay: float = 1.5
    """Seconds that the fault ``slow`` takes."""
    requests: list[tuple[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def inject(self, fault: str, times: int, only: Callable[[str, str], bool] = lambda method, path: True) -> None:
        with self.lock:
            self.fault, self.times, self.only = fault, times, only

    def due(self, method: str, path: str) -> str:
        with self.lock:
            self.requests.append((method, path))
            if not self.fault or self.times <= 0 or not self.only(method, path):
                return ""
            self.times -= 1
            return self.fault


FAULTS = ("refused", "slow", "cut", "503", "corrupt", "expired", "cut-answer")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def log_message(self, format: str, *args: Any) -> None:
        return

    def _any(self) -> None:
        fault = self.proxy.due(self.command, self.path)
        if fault == "refused":
            self._hang_up()
            return
        if fault == "cut":
            # A few bytes of the body are read, then the connection is gone.
            self.rfile.read(min(7, int(self.headers.get("Content-Length") or 0)))
            self._hang_up()
            return
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        body = self._body()
        if fault == "slow":
            time.sleep(self.proxy.delay)
        if fault in ("503", "expired"):
            status, code = (503, "SlowDown") if fault == "503" else (400, "ExpiredToken")
            self._answer(status, {"Content-Type": "application/xml"}, ERROR.format(code=code).encode())
            return
        if fault == "corrupt" and body:
            body = bytes([body[0] ^ 255]) + body[1:]
        status, headers, content = self._forward(body)
        if fault == "cut-answer":
            # The server has done it, and the client never hears of it.
            self._hang_up()
            return
        self._answer(status, headers, content)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _any

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy.upstream, timeout=30)
        dropped = ("transfer-encoding", "expect", "connection", "content-length")
        headers = {key: value for key, value in self.headers.items() if key.lower() not in dropped}
        connection.request(self.command, self.path, body, headers | {"Content-Length": str(len(body))})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, dict(answer.getheaders()), content

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for key, value in headers.items():
            if key.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(key, value)
        length = headers.get("Content-Length", str(len(content))) if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def object_store() -> Iterator[Proxy]:
    """An S3 server with the bucket ``bucket``, reached through a proxy that can be told to fail."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    proxy = Proxy(upstream=server.get_host_and_port()[1])
    handler = type("Handler", (_Handler,), {"proxy": proxy})
    front = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    front.daemon_threads = True
    proxy.port = front.server_address[1]
    threading.Thread(target=front.serve_forever, daemon=True).start()
    try:
        yield proxy
    finally:
        front.shutdown()
        front.server_close()
        server.stop()
