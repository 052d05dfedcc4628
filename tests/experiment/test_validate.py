"""Validation: every problem at once, in words, with place, value and a hint."""

from __future__ import annotations

import pytest

from .conftest import MINIMAL, Workplace

OPENAI = "targets: {{o: {{provider: openai, model: m, {}}}}}\n"


def test_all_problems_are_told_at_once_in_the_order_of_the_file(place: Workplace) -> None:
    """Schema, rules and templates are all checked before anything is said."""
    problems = place.wrong(
        "version: 1\nname: Bad Name\ndata:\n  sources: [{path: a.csv, limt: 3}]\n"
        "prompt: {system: none.j2, user: '{{ x '}\ntrain:\n  n_epoch: 3\n"
        "eval: {prompts: [{id: a, user: x, expect: {regex: '('}}]}\n"
    )
    assert [problem.line for problem in problems] == sorted(problem.line or 0 for problem in problems)
    assert {problem.code for problem in problems} == {
        "wrong_value", "unknown_key", "template_file", "template_syntax", "missing_key", "regex",
    }  # fmt: skip


def test_an_unknown_key_names_path_value_and_the_nearest_key(place: Workplace) -> None:
    """A typo gets the known key, with its whole path where it belongs elsewhere."""
    problem = place.wrong_with("train:\n  n_epoch: 3\n")
    assert str(problem).startswith("x.yaml:6:3: train.n_epoch: unknown key (its value: 3)")
    assert "Did you mean `train.hyperparameters.n_epochs`?" in (problem.hint or "")
    problem = place.wrong_with("train: {hyperparameters: {n_epoch: 3}}\n")
    assert "Did you mean `n_epochs`?" in (problem.hint or "")
    problem = place.wrong_with("train: {suffix: my model, the second}\n")
    assert "a text with a comma needs quotes" in (problem.hint or "")


def test_a_number_with_a_unit_is_to_be_written_without(place: Workplace) -> None:
    """`5 USD` and `10%` are texts; the hint is the number."""
    problem = place.wrong_with("budget: {usd: 5 USD}\n")
    assert "0.1 for a tenth" in (problem.hint or "")


@pytest.mark.parametrize("address", ["s3://b/x?token=1", "s3://b/x#part", "file://host/x", "file://x"])
def test_the_address_of_a_state_holds_no_key(place: Workplace, address: str) -> None:
    """Keys come from the environment, and a shared folder is an absolute path."""
    assert place.wrong_with(f"state: '{address}'\n").code == "state_address"


@pytest.mark.parametrize(
    "more",
    [
        "targets: {a: {provider: ray, model: m}}\n",
        "eval: {models: [checkpoints]}\n",
    ],
)
def test_what_belongs_to_a_later_version_says_so(place: Workplace, more: str) -> None:
    """Keys and values that the design names but this version lacks are distinguished from typos."""
    problem = place.wrong_with(more)
    assert problem.code == "not_in_this_version"
    assert "not supported yet" in problem.message


@pytest.mark.parametrize(
    "more",
    [
        "targets: {o: {provider: openai, model: m, api_key: hunter2secret}}\n",
        "targets: {o: {provider: openai, model: m, api_key_env: sk-canary1234567890}}\n",
        "description: my key is sk-proj-canary1234567890\n",
        "train: {suffix: sk-canary1234567890}\n",
        "train: {n_epochs: sk-canary1234567890}\n",
        "targets: {o: {provider: openai, model: 0123456789abcdef0123456789abcdef}}\n",
        "targets: {o: {provider: openai, model: m, base_url: 'https://u:canary@h/v1', api_key_env: K}}\n",
        "sk-canary1234567890: 1\n",
    ],
)
def test_a_key_in_the_file_is_an_error_that_does_not_repeat_it(place: Workplace, more: str) -> None:
    """Neither message, excerpt nor hint holds the value, and other errors of the same line hide it too."""
    problems = place.wrong(MINIMAL + more)
    assert "key_in_file" in {problem.code for problem in problems}
    shown = "".join(f"{problem} {problem.hint}" for problem in problems)
    assert not any(secret in shown for secret in ("canary", "hunter2", "0123456789abcdef"))


def test_a_key_on_a_line_that_is_no_yaml_is_hidden(place: Workplace) -> None:
    """The excerpt of a syntax error masks what looks like a key."""
    problem = place.wrong("api_key: sk-canary1234567890: x\n")[0]
    assert "canary" not in str(problem)


def test_a_key_given_with_set_is_an_error_that_does_not_repeat_it(place: Workplace) -> None:
    """--set is no way round."""
    problem = place.wrong_with("", sets=["train.suffix=sk-canary1234567890"])
    assert problem.code == "key_in_file"
    assert "canary" not in str(problem)


def test_placeholders_and_names_of_variables_are_no_keys(place: Workplace) -> None:
    """Words about keys in prompts and descriptions are fine, and so is the name of a variable."""
    experiment = place.build(
        "description: put YOUR_API_KEY or sk-xxxxxxxx into the environment\n"
        "targets: {o: {provider: openai, model: m, api_key_env: OTHER_API_KEY_2}}\n"
        "prompt: {vars: {token: neko}}\neval: {prompts: [{id: key, user: What is an API key?}]}\n"
    )
    assert experiment.target.api_key_env == "OTHER_API_KEY_2"


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("base_url: 'https://h/v1'", "another server needs its own key"),
        ("base_url: 'http://h/v1', api_key_env: K", "plain http"),
        ("base_url: 'http://127.0.0.1.evil.example/v1', api_key_env: K", "plain http"),
        ("base_url: 'ftp://h', api_key_env: K", "https://"),
        ("base_url: 'https://h/v1?a=1', api_key_env: K", "ends with its path"),
        ("base_url: 'https://[', api_key_env: K", "not an address"),
        ("api_key_env: キー", "not the name of an environment variable"),
        ("poll: {min: 5s, max: 1s}", "min must be above 0 and at most max"),
        ("settle: soon", "is not allowed"),
        ("price: {train: 1}", "missing"),
        ("accept_license: true", "licence"),
    ],
)
def test_a_target_is_checked(place: Workplace, target: str, says: str) -> None:
    """Addresses, variables, durations and prices are refused with a reason."""
    problems = place.wrong(MINIMAL + OPENAI.format(target))
    assert any(says in problem.message for problem in problems)


@pytest.mark.parametrize("address", ["http://127.0.0.1:8000/v1", "http://localhost/v1", "http://[::1]:1/v1"])
def test_plain_http_is_allowed_on_this_machine(place: Workplace, address: str) -> None:
    """Loopback addresses need no TLS."""
    experiment = place.build(OPENAI.format(f"base_url: '{address}', api_key_env: K"))
    assert experiment.target.base_url == address


def test_a_local_target_has_no_remote_keys(place: Workplace) -> None:
    """Address and price belong to other servers."""
    problem = place.wrong_with("targets: {l: {provider: local, model: m, api_key_env: K}}\n")
    assert "not for `provider: local`" in problem.message


@pytest.mark.parametrize(
    "more",
    [
        "train: {suffix: ''}\n",
        f"train: {{suffix: {'a' * 65}}}\n",
        "train: {hyperparameters: {n_epochs: 0}}\n",
        "train: {hyperparameters: {n_epochs: 51}}\n",
        "train: {hyperparameters: {n_epochs: yes}}\n",
        "train: {hyperparameters: {batch_size: 257}}\n",
        "train: {hyperparameters: {learning_rate_multiplier: 0}}\n",
        "train: {seed: 2147483648}\n",
        "train: {seed: -1}\n",
        'train: {suffix: "a\\nb"}\n',
        "budget: {usd: -1}\n",
        "budget: 5\n",
        "eval: {models: [a b]}\n",
        "eval: {models: []}\n",
        "eval: {prompts: [{id: 1, user: x}]}\n",
        "eval: {prompts: [{id: a, user: x}, {id: a, user: y}]}\n",
        "eval: {prompts: [{id: a}]}\n",
        "eval: {prompts: [{id: a, user: x, messages: [{role: user, content: x}]}]}\n",
        "eval: {prompts: [{id: a, messages: [{role: assistant, content: x}]}]}\n",
        "eval: {prompts: [{id: a, user: x, system: s.j2}]}\n",
        "eval: {prompts: [{id: a, user: x, expect: {}}]}\n",
        "eval: {prompts: [{id: a, user: x, expect: {any: [{regex: ['[']}]}}]}\n",
        "eval: {sampling: {temperature: 3}}\n",
        "prompt: {messages: [{role: user, content: a}], system: b}\n",
        "prompt: {vars: {row: 1}}\n",
        "prompt: {vars: {'a b': 1}}\n",
        "prompt: {user: a}\n",
        "target: b\n",
        "targets: {}\n",
        "targets: {'a/b': {provider: local, model: m}}\n",
        "target: c\ntargets: {a: {provider: local, model: m}}\n",
    ],
)
def test_one_wrong_value_gives_one_problem(place: Workplace, more: str) -> None:
    """Each mistake is reported once, at its line."""
    assert (place.wrong_with(more).line or 0) >= 5


@pytest.mark.parametrize("name", [".", "..", "A", "a b", "", "a/b", "猫", "a" * 65, "5"])
def test_names_that_are_no_folder_are_refused(place: Workplace, name: str) -> None:
    """The name is also a folder's, so it stays simple."""
    text = MINIMAL.replace("name: cat", f"name: {name!r}" if name != "5" else "name: 5")
    assert [problem.line for problem in place.wrong(text)] == [2]


@pytest.mark.parametrize(
    "split",
    ["{validation: 1.5}", "{test: 1.0}", "{validation: 0.5, test: 0.5}", "{validation: -1}", "{seed: x}"],
)
def test_shares_that_leave_nothing_are_refused(place: Workplace, split: str) -> None:
    """A share lies between 0 and 1, and together they leave rows to train on."""
    text = MINIMAL.replace("data:\n", f"data:\n  split: {split}\n")
    assert [problem.line for problem in place.wrong(text)] == [4]


def test_the_target_must_exist(place: Workplace) -> None:
    """A target that is asked for on the command line and is not there names those that are."""
    from ftrun.errors import ConfigError

    with pytest.raises(ConfigError, match="no such target") as caught:
        place.build("targets: {a: {provider: local, model: m}}\n", target="b")
    assert caught.value.problem.hint == "Targets here: a."


def test_one_of_several_targets_must_be_named(place: Workplace) -> None:
    """With several targets and none named there is nothing to guess."""
    from ftrun.errors import ConfigError

    more = "targets: {a: {provider: local, model: m}, b: {provider: local, model: m}}\n"
    with pytest.raises(ConfigError, match="no target is named"):
        place.build(more)
    assert place.build(more, target="b").target.name == "b"
