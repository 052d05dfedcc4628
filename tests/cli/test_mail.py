"""`notify.email`: one mail at the end, whatever the end, and a mail that fails never fails the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ftrun.cli import mail as mails
from ftrun.cli.mail import MailError, mail_server
from support.mail_server import MailServer
from support.paid_project import Paid

PASSWORD = "p@ss/word-8c1f"
Serve = Callable[..., MailServer]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Return how to start a mail server that the environment names."""
    started: list[MailServer] = []

    def start(**how: Any) -> MailServer:
        server = MailServer(**how)
        started.append(server)
        monkeypatch.setenv("FTRUN_SMTP_URL", f"smtp://taro:p%40ss%2Fword-8c1f@127.0.0.1:{server.port}")
        monkeypatch.setenv("FTRUN_SMTP_FROM", "ftrun@example.com")
        return server

    yield start
    for server in started:
        server.close()


def test_the_end_of_a_run_is_mailed_once(paid: Paid, serve: Serve) -> None:
    """Status, job and model in a mail to the address of the file; nothing to do is nothing to tell."""
    server = serve()
    paid.add("notify: {email: hanako@example.com}\n")
    paid.json("run", paid.config, "--yes")
    paid.json("run", paid.config, "--yes")
    (mail,) = server.mails
    assert (mail["To"], mail["From"]) == ("hanako@example.com", "ftrun@example.com")
    assert mail["Subject"] == "ftrun: toy on paid: done"
    assert "ft:m:ftjob-1" in mail.get_content() and "job id: ftjob-1" in mail.get_content()
    assert server.logins == [("taro", PASSWORD)]


def test_a_failed_job_is_mailed_with_its_reason(paid: Paid, serve: Serve) -> None:
    """The mail says what failed, in any script."""
    server = serve()
    paid.add("notify: {email: hanako@example.com}\ntrain: {stop_when: {loss_above: 3}}\n")
    paid.provider.looks = 1000
    paid.provider.events["ftjob-1"] = [
        {"id": "e1", "created_at": 1, "level": "info", "message": "s", "data": {"step": n, "train_loss": 9.0}}
        for n in range(12)
    ]
    paid.json("run", paid.config, "--yes", code=1)
    (mail,) = server.mails
    assert mail["Subject"] == "ftrun: toy on paid: failed"
    assert "error: " in mail.get_content() and "loss" in mail.get_content()


def test_a_decision_is_asked_for_by_mail(paid: Paid, serve: Serve) -> None:
    """Where nobody sits at a terminal, a run that needs a yes says so by mail."""
    server = serve()
    paid.add("notify: {email: hanako@example.com}\nbudget: {usd: 0.0000001}\n")
    paid.json("run", paid.config, "--yes", code=4)
    (mail,) = server.mails
    assert mail["Subject"] == "ftrun: toy on paid: blocked"
    assert "tip: " in mail.get_content()


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"refuse": {"AUTH": "535 no"}}, "does not accept the user name and password (535)"),
        ({"refuse": {"RCPT": "550 no such user"}}, "refuses the recipient"),
        ({"refuse": {"DATA": "554 spam"}}, "answered 554"),
        ({"refuse": {"EHLO": "421 busy", "HELO": "421 busy"}}, "127.0.0.1"),
        ({"silent": True}, "no answer from 127.0.0.1 within 1 s"),
    ],
)
def test_a_mail_that_fails_never_fails_the_run(
    paid: Paid, serve: Serve, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any], words: str
) -> None:
    """A refusal or a silent server is a warning; the run is done, and the password is nowhere."""
    monkeypatch.setattr(mails, "SECONDS", 1.0)
    serve(**how)
    paid.add("notify: {email: hanako@example.com}\n")
    assert paid.json("run", paid.config, "--yes")["status"] == "done"
    assert "warning: no mail: " in paid.error and words in paid.error, paid.error
    assert PASSWORD not in paid.error and "p%40ss" not in paid.error
    written = [path for path in paid.folder.rglob("*") if path.is_file()]
    assert not [path for path in written if PASSWORD.encode() in Path(path).read_bytes()]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"FTRUN_SMTP_URL": "smtps://a:b@m.example"}, ("m.example", 465, True, "a", "b")),
        ({"FTRUN_SMTP_URL": "smtp://a:b@m.example"}, ("m.example", 587, False, "a", "b")),
        ({"FTRUN_SMTP_URL": "smtp://127.0.0.1:25"}, ("127.0.0.1", 25, False, "", "")),
        ({"FTRUN_SMTP_HOST": "m.example", "FTRUN_SMTP_USER": "a"}, ("m.example", 587, False, "a", "")),
        ({"FTRUN_SMTP_HOST": "m.example", "FTRUN_SMTP_PORT": "465"}, ("m.example", 465, True, "", "")),
    ],
)
def test_the_server_is_in_the_environment(environment: dict[str, str], expected: tuple[Any, ...]) -> None:
    """As a URL or in parts."""
    found = mail_server(environment)
    assert (found.host, found.port, found.tls, found.user, found.password) == expected


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"SMTP_HOST": "m.example"},  # another program's
        {"FTRUN_SMTP_URL": "https://m.example"},
        {"FTRUN_SMTP_URL": "smtp://"},
        {"FTRUN_SMTP_URL": "smtp://m.example:x"},
        {"FTRUN_SMTP_HOST": "m.example", "FTRUN_SMTP_PORT": "x"},
        {"FTRUN_SMTP_HOST": "m.example", "FTRUN_SMTP_PASSWORD": "secret-1234"},
    ],
)
def test_a_server_that_can_not_be_used_is_named_without_secrets(environment: dict[str, str]) -> None:
    """The words name the variable, never its value."""
    with pytest.raises(MailError) as error:
        mail_server(environment)
    assert "FTRUN_SMTP" in str(error.value) or "password" in str(error.value)
    assert not any(value in str(error.value) for name, value in environment.items() if "HOST" not in name)


def test_a_password_is_never_sent_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server elsewhere that offers no encryption gets neither the password nor the mail."""
    server = MailServer()
    monkeypatch.setattr(mails, "LOOPBACK", ())  # this machine counts as another one
    monkeypatch.setenv("FTRUN_SMTP_URL", f"smtp://taro:secret-pw@127.0.0.1:{server.port}")
    document = {"experiment": "toy", "target": "paid", "status": "done"}
    problem = mails.send_mail("a@example.com", "done", document)
    server.close()
    assert problem is not None and problem.startswith("no mail: 127.0.0.1 can't be reached")
    assert server.logins == [] and server.mails == []


@pytest.mark.parametrize(
    "address", ["nobody", "a@b@c", "a b@example.com", "a@example.com, b@example.com", "A <a@b.c>", 3]
)
def test_an_address_is_checked_before_the_run(paid: Paid, address: object) -> None:
    """What is not one plain address is exit code 2, with its place."""
    paid.add(f"notify: {{email: {address!r}}}\n")
    error = paid.json("run", paid.config, "--yes", code=2)["error"]
    assert error["line"] and "notify.email" in error["message"]
