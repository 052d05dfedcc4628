"""The rules of data sources: which keys go together, and what a query, a condition and a sample may be."""

from __future__ import annotations

import pytest

from ftrun.experiment import build_experiment, read_document
from ftrun.experiment.model import Dataset, RowSample, Source, Sql

from .conftest import Workplace

COMMIT = "0123456789abcdef0123456789abcdef01234567"
HEAD = "version: 1\nname: a\ndata:\n  sources:\n    - "


def source(place: Workplace, text: str) -> Source:
    """Return the source of a file that has only it."""
    return build_experiment(read_document(place.write("x.yaml", HEAD + text + "\n"))).data.sources[0]


def test_everything_a_source_can_say(place: Workplace) -> None:
    """The keys become values of their kinds; a share stays a share and a count a whole number."""
    one = source(place, "{path: a.xlsx, sheet: FAQ, where: 'x == 1', sample: 0.5, weight: 2, limit: 3}")
    assert (one.sheet, one.where, one.weight, one.limit) == ("FAQ", "x == 1", 2.0, 3)
    assert one.sample == RowSample(size=0.5, seed=42)
    one = source(place, "{path: a.db, query: SELECT 1, sample: {size: 7.0, seed: 1}}")
    assert (one.query, one.sample) == ("SELECT 1", RowSample(size=7, seed=1))
    one = source(place, "sql: {url_env: DB, query: 'SELECT a FROM b'}")
    assert (one.path, one.sql) == (None, Sql(url_env="DB", query="SELECT a FROM b"))
    one = source(place, f"dataset: {{id: a/b, revision: {COMMIT}, split: train}}")
    assert one.dataset == Dataset(id="a/b", revision=COMMIT, split="train")
    one = source(place, "dataset: {path: folder}")
    assert (one.dataset, one.base) == (Dataset(path="folder"), place.folder)


@pytest.mark.parametrize(
    ("text", "code", "key"),
    [
        ("format: csv", "missing_key", "path"),
        ("{path: a.csv, dataset: {path: b}}", "wrong_key", "dataset"),
        ("{sql: {url_env: DB, query: SELECT 1}, encoding: cp932}", "wrong_key", "encoding"),
        ("{dataset: {path: b}, query: SELECT 1}", "wrong_key", "query"),
        ("{path: a.db, query: DELETE FROM faq}", "query", "query"),
        ("{path: a.db, query: 'SELECT 1; DROP TABLE faq'}", "query", "query"),
        ("{path: a.db, query: '-- SELECT\n\n      ATTACH x'}", "query", "query"),
        ("sql: {url_env: not a name, query: SELECT 1}", "url_env", "url_env"),
        ("sql: {url_env: DB}", "missing_key", "query"),
        ("dataset: {split: train}", "missing_key", "path"),
        ("dataset: {id: a/b}", "revision", "revision"),
        ("dataset: {id: a/b, revision: main}", "revision", "revision"),
        (f"dataset: {{id: b, revision: {COMMIT}}}", "wrong_value", "id"),
        (f"dataset: {{id: ../x, revision: {COMMIT}}}", "wrong_value", "id"),
        (f"dataset: {{id: a/.., revision: {COMMIT}}}", "wrong_value", "id"),
        (f"dataset: {{id: a/b--c, revision: {COMMIT}}}", "wrong_value", "id"),
        (f"dataset: {{id: -a/b, revision: {COMMIT}}}", "wrong_value", "id"),
        (f"dataset: {{id: a/b.git, revision: {COMMIT}}}", "wrong_value", "id"),
        (f"dataset: {{id: a/b., revision: {COMMIT}}}", "wrong_value", "id"),
        (f"dataset: {{path: b, revision: {COMMIT}}}", "wrong_key", "revision"),
        ("{path: a.csv, sample: 1.5}", "wrong_value", "sample"),
        ("{path: a.csv, sample: 0}", "wrong_value", "sample"),
        ("{path: a.csv, sample: {seed: 1}}", "missing_key", "size"),
        ("{path: a.csv, weight: 0}", "wrong_value", "weight"),
        ("{path: a.csv, where: 'year >='}", "where", "where"),
        ("{path: a.csv, where: '{{ year }}'}", "where", "where"),
        ("{path: a.csv, where: 'a b'}", "where", "where"),
    ],
)
def test_what_a_source_cannot_say(place: Workplace, text: str, code: str, key: str) -> None:
    """Each mistake is one problem at its line that names the key and gives a way out or what is expected."""
    (problem,) = place.wrong(HEAD + text + "\n")
    assert problem.code == code
    assert key in problem.message
    assert problem.line == 5 or "\n\n" in text


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1",
        "  select ';' AS mark;",
        "WITH a AS (SELECT 1) SELECT * FROM a",
        "/* all; of it */ SELECT x -- y; z",
        "(SELECT 1) UNION (SELECT 2)",
        "VALUES (1)",
    ],
)
def test_queries_that_read(place: Workplace, query: str) -> None:
    """One SELECT in any dress passes, with semicolons in texts and comments and at the end."""
    assert source(place, f'{{path: a.db, query: "{query}"}}').query == query


def test_a_condition_with_one_equals_sign_gets_the_second(place: Workplace) -> None:
    """`=` compares nowhere in a condition; signs in texts are none."""
    assert "==" in (place.wrong(HEAD + "{path: a.csv, where: topic = 'a'}\n")[0].hint or "")
    assert place.wrong(HEAD + "{path: a.csv, where: topic == 'a=b' x}\n")[0].hint is None


def test_held_out_rows_have_no_weight(place: Workplace) -> None:
    """A weight of validation or test rows would change what is measured, so it is refused."""
    text = "version: 1\nname: a\ndata:\n  sources: [{path: a.csv}]\n"
    text += "  split: {test: [{path: b.csv, weight: 2}]}\n"
    (problem,) = place.wrong(text)
    assert (problem.code, problem.line) == ("wrong_key", 5)


@pytest.mark.parametrize("key", ["url_env", "url", "query"])
def test_an_address_in_the_file_is_never_repeated(place: Workplace, key: str) -> None:
    """A database's address with a password is refused wherever it stands, and no message shows it."""
    address = "postgresql://me:canary-password@host/name"
    problems = place.wrong(HEAD + f"sql: {{url_env: DB, query: SELECT 1, {key}: '{address}'}}\n")
    assert "key_in_file" in {problem.code for problem in problems} or key != "url"
    assert "canary" not in "".join(f"{problem} {problem.hint}" for problem in problems)
