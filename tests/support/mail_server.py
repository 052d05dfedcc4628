"""A small mail server on loopback that keeps what it is sent, or refuses as a test says."""

from __future__ import annotations

import base64
import socketserver
import threading
from email import message_from_bytes, policy
from email.message import EmailMessage


class MailServer:
    """Speaks SMTP without TLS. `refuse`: a verb (AUTH, RCPT …) and the answer to it; `silent`: no answer."""

    def __init__(self, *, refuse: dict[str, str] | None = None, silent: bool = False) -> None:
        self.refuse, self.silent = refuse or {}, silent
        self.mails: list[EmailMessage] = []
        self.logins: list[tuple[str, str]] = []
        self.verbs: list[str] = []
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                outer._talk(self)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.port = int(self._server.server_address[1])

    def close(self) -> None:
        """Stop serving."""
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _talk(self, handler: socketserver.StreamRequestHandler) -> None:
        def say(line: str) -> None:
            handler.wfile.write(f"{line}\r\n".encode())

        if self.silent:
            self._over.wait(60)
            return
        say("220 mail.example ready")
        while line := handler.rfile.readline():
            verb, _, rest = line.decode().strip().partition(" ")
            self.verbs.append(verb.upper())
            match verb.upper():
                case refused if refused in self.refuse:
                    say(self.refuse[refused])
                case "EHLO":
                    say("250-mail.example")
                    say("250 AUTH PLAIN")
                case "AUTH":
                    _, user, password = base64.b64decode(rest.split()[1]).decode().split("\0")
                    self.logins.append((user, password))
                    say("235 ok")
                case "DATA":
                    say("354 go on")
                    self.mails.append(self._mail(handler))
                    say("250 taken")
                case "QUIT":
                    say("221 bye")
                    return
                case _:
                    say("250 ok")

    @staticmethod
    def _mail(handler: socketserver.StreamRequestHandler) -> EmailMessage:
        lines = []
        while (line := handler.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        mail = message_from_bytes(b"".join(lines), policy=policy.default)
        assert isinstance(mail, EmailMessage)
        return mail
