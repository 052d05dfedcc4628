"""Writing: one way to open, lock, rename and delete, which follows no link, and nobody who has another."""

from __future__ import annotations

import ast
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import ROOT
from ftrun import files
from ftrun.errors import DecisionError

PACKAGE = ROOT / "pipeline" / "ftrun"
METHODS = {  # whatever they are called on
    *(
        "write_text",
        "write_bytes",
        "touch",
        "mkdir",
        "unlink",
        "rmdir",
        "rename",
        "symlink_to",
        "hardlink_to",
    ),
    *("chmod", "extract", "extractall", "save_pretrained", "to_csv", "to_parquet", "to_excel", "write_table"),
}
FUNCTIONS = {
    *("FileLock", "SoftFileLock", "UnixFileLock", "FileHandler", "ParquetWriter", "save_file", "savetxt"),
    *("snapshot_download", "hf_hub_download", "copyfileobj"),
}
OF_MODULES = {
    "os": {
        *("open", "mkdir", "makedirs", "mkfifo", "mknod", "rename", "renames", "replace", "remove", "unlink"),
        *("removedirs", "rmdir", "truncate", "link", "symlink", "chmod", "chown", "utime"),
    },
    "shutil": {"copy", "copy2", "copyfile", "copytree", "move", "rmtree", "make_archive", "unpack_archive"},
    "tempfile": {
        *("TemporaryFile", "NamedTemporaryFile", "SpooledTemporaryFile", "TemporaryDirectory"),
        *("mkstemp", "mkdtemp", "mktemp"),
    },
    "sqlite3": {"connect"},
    "torch": {"save"},
    "np": {"save", "savez"},
    "pickle": {"dump"},
}
TEMPORARY = "a folder of its own in the folder for temporary files, with a random name"
NAMELESS = "has no name, so nothing can be put in its place; files.make_folder created its folder"
READS = "is opened for reading"
NEW_FOLDER = "in a new folder of its own that files.make_folder created, and files.rename puts in its place"
STORE = "in the folder of the store or the model cache, which the user names, below one that files created"
ELSEWHERE = {
    ("augment/seeds.py", "tempfile.TemporaryDirectory"): TEMPORARY,
    ("cli/check.py", "tempfile.TemporaryDirectory"): TEMPORARY,
    ("cli/data.py", "tempfile.TemporaryDirectory"): TEMPORARY,
    ("cli/import.py", "tempfile.TemporaryDirectory"): TEMPORARY,
    ("cli/plan.py", "tempfile.TemporaryDirectory"): TEMPORARY,
    ("scaffold/trial.py", "tempfile.TemporaryDirectory"): TEMPORARY,
    ("cli/help_text.py", "write_text"): "of click's formatter: no file",
    ("cli/output.py", "tempfile.mkstemp"): "a new file with a random name, opened by O_EXCL",
    ("cli/main.py", "os.open"): "the null device, in place of a stream that nobody reads",
    ("data/pipeline/gathered.py", "tempfile.TemporaryFile"): NAMELESS,
    ("data/readers/conversations.py", "tempfile.TemporaryFile"): NAMELESS,
    ("data/readers/database.py", "tempfile.TemporaryFile"): NAMELESS,
    ("data/readers/hub.py", "snapshot_download"): "into the Hub client's own cache, in the user's home",
    ("data/readers/querying.py", "sqlite3.connect"): "mode=ro",
    ("state/store.py", "os.open"): READS,
    ("engine/places.py", "chmod"): "the mode of the store's own folder, which the user names",
    ("engine/store/database.py", "sqlite3.connect"): f"{STORE}; files.refuse_file looked at it",
    ("engine/training/checkpoint.py", "os.open"): READS,
    ("engine/training/top_layers.py", "tempfile.TemporaryFile"): NAMELESS,
    ("engine/training/checkpoint.py", "save_file"): STORE,
    ("engine/export/formats.py", "save_pretrained"): NEW_FOLDER,
    ("engine/export/verifying.py", "tempfile.TemporaryDirectory"): TEMPORARY,
    ("engine/models/convert.py", "save_file"): STORE,
    ("engine/models/convert.py", "save_pretrained"): STORE,
    ("engine/models/download.py", "copyfileobj"): "into a file that files.open_to_write opened",
    ("engine/models/download.py", "tempfile.TemporaryDirectory"): STORE,
    ("engine/models/lora.py", "save_file"): STORE,
    ("engine/models/weights.py", "os.open"): READS,
    ("engine/models/weights.py", "snapshot_download"): STORE,
}


def ways_to_write(tree: ast.AST) -> Iterator[str]:
    """Yield the name of everything in a module that may write, lock, rename or delete a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in OF_MODULES:
            names = {alias.name for alias in node.names} & OF_MODULES[node.module]
            yield from (f"{node.module}.{name}" for name in names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            of, name = getattr(node.func.value, "id", ""), node.func.attr
            of_path = name == "replace" and len(node.args) == 1 and not node.keywords  # a text's takes two
            if name in OF_MODULES.get(of, ()):
                yield f"{of}.{name}"
            elif of_path or name in METHODS | FUNCTIONS or (name == "open" and has_mode(node)):
                yield name
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name = node.func.id
            if name in FUNCTIONS or (name == "open" and has_mode(node)):
                yield name


def has_mode(node: ast.Call) -> bool:
    """Say whether a call of `open` has a mode that writes."""
    given = [*node.args, *(one.value for one in node.keywords if one.arg == "mode")]
    modes = [one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return any(set(mode) <= set("rwaxbt+") and set(mode) & set("wax+") for mode in modes)


def test_nothing_is_written_past_the_one_way() -> None:
    """Only files.py opens for writing, locks, renames and deletes; each exception has its reason."""
    found = {
        (path.relative_to(PACKAGE).as_posix(), name)
        for path in PACKAGE.rglob("*.py")
        if path != PACKAGE / "files.py"
        for name in ways_to_write(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == ELSEWHERE.keys(), found ^ ELSEWHERE.keys()


@pytest.mark.parametrize(
    "code",
    [
        "open(path, 'w')",
        "path.open('ab+')",
        "path.open(mode='x')",
        "gzip.open(path, 'wb')",
        "path.write_text(text)",
        "temporary.replace(path)",
        "os.replace(one, other)",
        "from shutil import rmtree",
        "path.mkdir(parents=True)",
        "filelock.FileLock(path)",
        "sqlite3.connect(path)",
    ],
)
def test_the_search_knows_a_way_to_write(code: str) -> None:
    """What the test above looks for is found where it stands."""
    assert list(ways_to_write(ast.parse(code)))


WAYS: dict[str, Callable[[Path], object]] = {
    "open": lambda path: files.open_to_write(path, "wb").close(),
    "open at its end": lambda path: files.open_to_write(path, "ab+").close(),
    "write": lambda path: files.write_atomic(path, "new"),
    "append": lambda path: files.append_durably(path, b"new\n"),
    "lock": lambda path: files.file_lock(path, timeout=0).acquire().lock.release(),
    "rename": lambda path: files.rename(spare(path), path),
}


def spare(path: Path) -> Path:
    """Return a file that can be renamed."""
    found = path.parent.parent.parent / "spare"
    found.write_text("new", encoding="utf-8")
    return found


@pytest.mark.parametrize("way", WAYS)
def test_no_link_is_written_through(tmp_path: Path, way: str) -> None:
    """A link in place of a file, to one that is there or not, is refused and named, and leads nowhere."""
    inside, outside = tmp_path / "root" / "in", tmp_path / "outside"
    inside.mkdir(parents=True)
    outside.write_text("mine", encoding="utf-8")
    for target in (outside, tmp_path / "not there", Path("..", "..", "outside")):
        path = inside / "file"
        path.symlink_to(target)
        with pytest.raises(DecisionError, match="symbolic link") as caught:
            WAYS[way](path)
        assert caught.value.problem.file == str(path)
        assert path.is_symlink()
        path.unlink()
    assert outside.read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "not there").exists()


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_written_behind_a_linked_folder(tmp_path: Path, way: str) -> None:
    """A folder that is a link is refused and named at any height, and nothing appears where it leads."""
    (tmp_path / "root").mkdir()
    (tmp_path / "outside" / "in" / "deep").mkdir(parents=True)
    (tmp_path / "root/in").symlink_to(tmp_path / "outside" / "in")
    for path in (tmp_path / "root/in/file", tmp_path / "root/in/deep/file"):
        with pytest.raises(DecisionError, match="symbolic link") as caught:
            WAYS[way](path)
        assert caught.value.problem.file == str(tmp_path / "root/in")
    assert [one.name for one in (tmp_path / "outside").rglob("*")] == ["in", "deep"]


@pytest.mark.parametrize("way", sorted(WAYS.keys() - {"rename"}))
@pytest.mark.parametrize("kind", ["folder", "pipe", "socket"])
def test_only_a_regular_file_is_written(tmp_path: Path, way: str, kind: str) -> None:
    """A folder, a pipe or a socket in place of a file is refused at once, in words."""
    path = tmp_path / "root" / "in" / "file"
    path.parent.mkdir(parents=True)
    match kind:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case _:
            with socket.socket(socket.AF_UNIX) as one:
                one.bind(os.path.relpath(path))
    with pytest.raises(DecisionError, match="but ftrun keeps a file here"):
        WAYS[way](path)


def test_nothing_is_deleted_behind_a_link(tmp_path: Path) -> None:
    """Neither a file nor a folder is deleted where a folder above it is a link."""
    (tmp_path / "outside" / "in").mkdir(parents=True)
    (tmp_path / "outside" / "file").write_text("mine", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(DecisionError, match="symbolic link"):
        files.delete(tmp_path / "link" / "file")
    with pytest.raises(DecisionError, match="symbolic link"):
        files.delete_folder(tmp_path / "link" / "in")
    assert {one.name for one in (tmp_path / "outside").iterdir()} == {"in", "file"}


def test_links_of_the_user_are_followed_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A named file's folder may be a link, unless it lies below the current folder; a root may be one too."""
    here, outside = tmp_path / "here", tmp_path / "outside"
    here.mkdir()
    outside.mkdir()
    for link in (tmp_path / "link", here / "link"):
        link.symlink_to(outside)
    monkeypatch.chdir(here)
    assert files.output_path(tmp_path / "link" / "a.html") == outside / "a.html"
    assert files.output_path(Path("../link/a.html")) == outside / "a.html"
    assert files.output_path(Path("link/a.html")) == here / "link" / "a.html"
    assert files.anchored(tmp_path / "link/a/b", tmp_path / "link") == outside / "a/b"
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(DecisionError, match="symbolic link"):
        files.write_atomic(files.real(tmp_path / "circle") / "a", "x")
