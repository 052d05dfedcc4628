"""SQLite files and databases by URL: read, never written, and no password shown."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ftrun import data
from ftrun.data.readers import querying
from ftrun.errors import DataError
from ftrun.experiment.model import Experiment, Sql

from .reading import FAQ, WHOLE, errors, read


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Return an SQLite file with three questions and a column of other values."""
    path = tmp_path / "faq.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE faq (id INTEGER, q TEXT, a TEXT, extra)")
        extra = [None, 1.5, b"\xff"]
        connection.executemany(
            "INSERT INTO faq VALUES (?, ?, ?, ?)", [(n, *FAQ[n], extra[n]) for n in range(3)]
        )
    connection.close()
    return path


def test_sqlite(make: Any, database: Path) -> None:
    """A query gives rows by number; null stays null, binary values are told, the tables are named."""
    source = {"query": "SELECT q, a, extra FROM faq WHERE id < 2 ORDER BY id"}
    rows, findings = read(make({}, paths=["faq.sqlite"], source=source))
    assert rows == [
        (1, {"q": "納期は？", "a": "三日です。", "extra": None}),
        (2, {"q": "返品は？", "a": "七日以内です。", "extra": 1.5}),
    ]
    assert not findings.errors
    source = {"query": "SELECT extra FROM faq"}
    assert errors(make({}, paths=["faq.sqlite"], source=source, prompt=WHOLE)) == [("value", 3)]
    assert not errors(make({}, paths=["faq.sqlite"], source=source))
    problem = read(make({}, paths=["faq.sqlite"]))[1].errors[0]
    assert "faq" in problem.message
    assert "SELECT" in str(problem.hint)


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM faq",
        "ATTACH DATABASE '/etc/passwd' AS other",
        "SELECT q, q FROM faq",
        "SELECT nothing FROM faq",
        "PRAGMA journal_mode = DELETE",
        "SELECT load_extension('x')",
    ],
)
def test_sqlite_only_reads(make: Any, database: Path, query: str) -> None:
    """Whatever else a query wants, it is refused and the file stays as it was."""
    before = database.read_bytes()
    (found,) = errors(make({}, paths=["faq.sqlite"], source={"query": query}))
    assert found[0] in ("query", "header")
    assert database.read_bytes() == before


def test_what_sqlite_has_not_put_into_the_file_yet_counts(make: Any, database: Path) -> None:
    """A row that is only in the write-ahead log is read, and changes the inputs."""
    experiment = make({}, paths=["faq.sqlite"], source={"query": "SELECT q, a FROM faq"})
    before = data.prepare_inputs(experiment)
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("INSERT INTO faq VALUES (9, '送料は？', '無料です。', NULL)")
    connection.commit()
    assert len(read(experiment)[0]) == 4
    assert data.prepare_inputs(experiment) != before
    connection.close()


SECRET = "canary-password"


def of_database(make: Any, query: str, variable: str = "FAQ_DB") -> Experiment:
    """Return an experiment over one query to the server that $FAQ_DB names."""
    source = {"path": None, "sql": Sql(url_env=variable, query=query)}
    experiment: Experiment = make({}, paths=["unused"], source=source)
    return experiment


def test_database(make: Any, database: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Rows come in the query's order; without one, in an order of their own that does not change."""
    monkeypatch.setenv("FAQ_DB", f"sqlite:///{database}")
    ordered = read(of_database(make, "SELECT q, a FROM faq ORDER BY id DESC -- not 12:30"))
    assert [row["q"] for _, row in ordered[0]] == [q for q, _ in reversed(FAQ)]
    orders = []
    for direction in ("ASC", "DESC"):
        with sqlite3.connect(database) as connection:
            connection.execute("CREATE TABLE again AS SELECT q, a FROM faq ORDER BY id " + direction)
            connection.execute("DROP TABLE IF EXISTS moved")
            connection.execute("ALTER TABLE again RENAME TO moved")
        connection.close()
        experiment = of_database(make, "SELECT q, a FROM moved")
        orders.append(([row for _, row in read(experiment)[0]], data.prepare_inputs(experiment)))
    assert orders[0] == orders[1]
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE moved SET a = 'anders'")
    connection.close()
    assert data.prepare_inputs(experiment) != orders[0][1]


@pytest.mark.parametrize(
    ("address", "query"),
    [
        ("", "SELECT 1"),
        (f"sqlite:////nowhere/{SECRET}.db", "SELECT 1"),
        (f"sqlite:///{{folder}}/{SECRET}.db", "SELECT nothing FROM nothing"),
        (f"sqlite:///{{folder}}/{SECRET}.db", "DELETE FROM faq"),
        (f"nodialect://user:{SECRET}@host/name", "SELECT 1"),
        (f"postgresql+nodriver://user:{SECRET}@host/name", "SELECT 1"),
        (f"{SECRET} is no address", "SELECT 1"),
    ],
)
def test_the_address_of_a_database_is_never_shown(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, query: str
) -> None:
    """Whatever goes wrong is told by the variable's name and in the database's words, without the address."""
    monkeypatch.setenv("FAQ_DB", address.format(folder=tmp_path))
    experiment = of_database(make, query)
    (problem,) = read(experiment)[1].errors
    with pytest.raises(DataError) as caught:
        data.prepare_inputs(experiment)
    for told in (problem, caught.value.problem):
        assert told.code == "sql"
        assert told.file == "$FAQ_DB"
        assert SECRET not in f"{told} {told.hint}"


@pytest.mark.parametrize(
    "query",
    [
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) AS q FROM c",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x AS q FROM c",
        "SELECT instr(zeroblob(60000000), zeroblob(30000000) || x'01') AS q",
        "SELECT length(hex(randomblob(900000000))) AS q",
        "SELECT group_concat(b.q || c.q || d.q, hex(zeroblob(9000000))) AS q FROM faq b, faq c, faq d",
    ],
)
def test_a_query_without_end_is_stopped(
    make: Any, database: Path, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a query computes, in SQLite's own functions too, and however much it gives, it ends."""
    monkeypatch.setattr(querying, "SECONDS", 0.3)
    monkeypatch.setattr(querying, "SMALLEST", 1_000_000)
    rows, findings = read(make({}, paths=["faq.sqlite"], source={"query": query}))
    assert len(rows) < 20_000
    assert [one.code for one in findings.errors] == ["query"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_endless_query_hears_a_signal(database: Path, number: signal.Signals) -> None:
    """The command is over at once, and so is the process that queried, which held stderr open."""
    query = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) AS q FROM c"
    config = database.with_name("x.yaml")
    config.write_text(
        f"version: 1\nname: x\ndata: {{sources: [{{path: faq.sqlite, query: {query!r}}}]}}\n"
        "prompt: {user: '{{ q }}', assistant: x}\n"
    )
    run = subprocess.Popen([sys.executable, "-m", "ftrun", "check", str(config)], stderr=subprocess.PIPE)
    time.sleep(1.5)
    assert run.poll() is None
    run.send_signal(number)
    run.communicate(timeout=4)
    assert run.returncode == 130
