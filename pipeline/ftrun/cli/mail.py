"""A mail at the end of a run: its server comes from the environment, its recipient from the file.

Only variables that begin with FTRUN_SMTP are used: setting them is the user's consent to send mail. A
password goes to the server that the same variables name, encrypted unless that is this machine.
"""

from __future__ import annotations

import contextlib
import os
import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any
from urllib.parse import unquote, urlsplit

from ftrun.redaction import keep_secret
from ftrun.waiting import OverdueError, bounded

URL = "FTRUN_SMTP_URL"
PARTS = ("FTRUN_SMTP_HOST", "FTRUN_SMTP_PORT", "FTRUN_SMTP_USER", "FTRUN_SMTP_PASSWORD")
FROM = "FTRUN_SMTP_FROM"
SECONDS = 15.0  # for the whole conversation
PORTS = {"smtps": 465, "smtp": 587}
LOOPBACK = ("127.0.0.1", "localhost", "::1")
SHOWN = ("experiment", "target", "status", "job_id", "fine_tuned_model", "report")


class MailError(Exception):
    """Why no mail could be sent, in words that hold nothing secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """A server that sends mail. `tls`: from the first byte (port 465), else by STARTTLS."""

    host: str
    port: int
    tls: bool
    user: str = ""
    password: str = ""

    @property
    def is_here(self) -> bool:
        """Return whether it runs on this machine, where nobody else can listen."""
        return self.host in LOOPBACK


def send_mail(recipient: str, text: str, document: Mapping[str, Any]) -> str | None:
    """Send a mail about a run; return why that failed. `document` is that of `run --json`."""
    try:
        server = mail_server(os.environ)
        message = _message(recipient, os.environ.get(FROM) or _sender(server, recipient), text, document)
        return _sent(server, message)
    except MailError as error:
        return f"no mail: {error}"
    except (MessageError, ValueError):
        return f"no mail: {FROM} or `notify.email` is not an address"


def mail_server(environment: Mapping[str, str]) -> MailServer:
    """Return the server that the variables name; MailError if they name none that can be used."""
    if environment.get(URL):
        return _from_url(environment[URL])
    host, port, user, password = (environment.get(name, "") for name in PARTS)
    keep_secret(password)
    if not host:
        raise MailError(f"neither {URL} nor {PARTS[0]} is set")
    if port and not port.isdecimal():
        raise MailError(f"{PARTS[1]} is not a number")
    number = int(port or PORTS["smtp"])
    return _usable(
        MailServer(host=host, port=number, tls=number == PORTS["smtps"], user=user, password=password)
    )


def _from_url(address: str) -> MailServer:
    keep_secret(address)
    try:
        parts = urlsplit(address)
        port = parts.port or PORTS.get(parts.scheme)
    except ValueError:
        parts, port = None, None
    if parts is None or parts.scheme not in PORTS or not parts.hostname or port is None:
        raise MailError(f"{URL} is not an address such as smtps://USER:PASSWORD@mail.example.com")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    keep_secret(password)
    tls = parts.scheme == "smtps"
    return _usable(MailServer(host=parts.hostname, port=port, tls=tls, user=user, password=password))


def _usable(server: MailServer) -> MailServer:
    if server.password and not server.user:
        raise MailError("there is a password and no user name")
    return server


def _sender(server: MailServer, recipient: str) -> str:
    return server.user if "@" in server.user else recipient


def _message(recipient: str, sender: str, text: str, document: Mapping[str, Any]) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = f"ftrun: {document['experiment']} on {document['target']}: {document['status']}"
    message["From"], message["To"] = sender, recipient
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain="ftrun.invalid")
    message["Auto-Submitted"] = "auto-generated"
    lines = [f"{name.replace('_', ' ')}: {document[name]}" for name in SHOWN if document.get(name)]
    error = document.get("error")
    if error:
        lines += [f"error: {error['message']}", *([f"tip: {error['hint']}"] if error.get("hint") else [])]
    message.set_content("\n".join([text, "", *lines]) + "\n")
    return message


def _sent(server: MailServer, message: EmailMessage) -> str | None:
    open_: list[smtplib.SMTP] = []

    def cut() -> None:
        for connection in open_:
            with contextlib.suppress(OSError):
                connection.close()

    try:
        bounded(lambda: _send(server, message, open_), SECONDS, cut=cut)
    except OverdueError:
        return f"no mail: no answer from {server.host} within {SECONDS:.0f} s"
    except smtplib.SMTPAuthenticationError as error:
        return f"no mail: {server.host} does not accept the user name and password ({error.smtp_code})"
    except smtplib.SMTPRecipientsRefused:
        return f"no mail: {server.host} refuses the recipient"
    except smtplib.SMTPResponseException as error:
        return f"no mail: {server.host} answered {error.smtp_code}"
    except ssl.SSLError:
        return f"no mail: no encrypted connection to {server.host} (its certificate, or the port's kind)"
    except (smtplib.SMTPException, OSError) as error:
        return f"no mail: {server.host} can't be reached ({type(error).__name__})"
    return None


def _send(server: MailServer, message: EmailMessage, opened: list[smtplib.SMTP]) -> None:
    with _connection(server) as connection:
        opened.append(connection)
        if not server.tls and not server.is_here:
            connection.starttls(context=ssl.create_default_context())  # fails where it is not offered
        if server.user:
            connection.login(server.user, server.password)
        connection.send_message(message)


def _connection(server: MailServer) -> smtplib.SMTP:
    """Connect; the name of this machine is not sent."""
    # longer than the whole conversation may take: a silent server is overdue, never a lost connection
    where: dict[str, Any] = {"local_hostname": "[127.0.0.1]", "timeout": 2 * SECONDS}
    if server.tls:
        return smtplib.SMTP_SSL(server.host, server.port, context=ssl.create_default_context(), **where)
    return smtplib.SMTP(server.host, server.port, **where)
