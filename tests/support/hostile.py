"""Texts that would run or load something in a careless page, and a server that hears of it."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator

PAYLOADS = (
    "<script>document.title='owned';fetch('{url}/script')</script>",
    "</title></style></textarea></svg><script src='{url}/src'></script>",
    "<img src='{url}/img' onerror=\"document.title='owned'\"><svg onload=\"document.title='owned'\">",
    "\"><link rel=stylesheet href='{url}/css'><style>@import '{url}/import'; body{{display:none}}</style>",
    "<iframe src='{url}/frame'></iframe><meta http-equiv=refresh content='0;url={url}/refresh'>"
    "<base href='{url}/'>",
    "' onfocus='document.title=1' autofocus x='<!-- --><![CDATA[ {{{{ 7*7 }}}} {{% raw %}}",
    "\u202e\x1b]0;x\x07 &lt;script&gt; | `a` ]]> \u2028 javascript:alert(1)",
)


@contextlib.contextmanager
def listening() -> Iterator[tuple[str, list[str]]]:
    """Yield the URL of a server and what was asked of it; `{url}` in the payloads stands for the URL."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
