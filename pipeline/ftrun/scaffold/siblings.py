"""Files beside a training file that hold its validation and test rows: val.jsonl, faq_test.csv, 検証.csv."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

TRAIN = (
    "train training trn 訓練データ 学習データ 訓練用 学習用 訓練 学習 训练集 训练 訓練集 학습 "
    "훈련 entrenamiento entraînement treino"
)
VALIDATION = (
    "validation valid val dev eval evaluation devel 検証データ 検証用 検証 評価データ 評価 验证集 "
    "验证 驗證集 驗證 검증 "
    "validación validacao"
)
TEST = "test testing tst テストデータ テスト用 テスト 测试集 测试 測試集 測試 테스트 시험 prueba teste"
SHARD = re.compile(r"[-_.]?\d{1,6}(?:[-_.]of[-_.]\d{1,6})?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Siblings:
    """The held-out files that belong to a training file, and other parts of it (train-00001-of-00002)."""

    validation: tuple[Path, ...] = ()
    test: tuple[Path, ...] = ()
    more: tuple[Path, ...] = ()


def siblings_of(file: Path) -> Siblings:
    """Return the files beside `file` that are named like it, but for what they are for."""
    path = file.resolve()
    role, rest = _role_of(path)
    found: dict[str, list[Path]] = {"validation": [], "test": [], "train": []}
    if role in ("validation", "test") or path.is_dir():
        return Siblings()
    for other in sorted(path.parent.iterdir()):
        if other == path or not other.is_file() or other.suffixes != path.suffixes:
            continue
        its, its_rest = _role_of(other)
        if its is not None and its_rest == rest and (role is not None or its != "train"):
            found[its].append(file.parent / other.name)
    return Siblings(
        validation=tuple(found["validation"]), test=tuple(found["test"]), more=tuple(found["train"])
    )


def _role_of(path: Path) -> tuple[str | None, str]:
    """Return what a file is for by its name, and the rest of the name; None if it doesn't say."""
    stem = unicodedata.normalize("NFKC", path.name.removesuffix("".join(path.suffixes))).casefold()
    if not stem:
        stem = unicodedata.normalize("NFKC", path.stem).casefold()
    stem = SHARD.sub("", stem)
    for role, names in (("validation", VALIDATION), ("test", TEST), ("train", TRAIN)):
        for name in names.split():
            word = unicodedata.normalize("NFKC", name).casefold()
            pattern = rf"(?<![a-z]){word}(?![a-z])" if word.isascii() else re.escape(word)
            if re.search(pattern, stem):
                return role, re.sub(r"[-_.\s]+", "", re.sub(pattern, "", stem, count=1))
    return None, re.sub(r"[-_.\s]+", "", stem)
