"""The name of an experiment: its file's or, where that only says `train`, its folder's; in ASCII."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from anyascii import anyascii

LONGEST = 64
GENERIC = (
    "train training trn data dataset datasets database all full raw clean csv json jsonl tsv "
    "text texts input inputs output export exports download downloads tmp temp home desktop "
    "documents src files file main new final configs config val valid validation dev eval "
    "test sft dpo sheet default part rows examples"
)
GENERIC_WORDS = ("訓練", "学習", "データ", "训练", "訓練", "数据", "資料", "학습", "데이터")
# everyday words of Japanese file names: their characters alone would be read as Chinese
JAPANESE = (
    "お客様=okyakusama お問い合わせ=otoiawase 問い合わせ=toiawase 問合せ=toiawase "
    "質問=shitsumon 回答=kaito 応答=oto 対応=taio 履歴=rireki 歴史=rekishi 顧客=kokyaku "
    "一覧=ichiran 記録=kiroku 会話=kaiwa 対話=taiwa 相談=sodan 窓口=madoguchi 教育=kyoiku "
    "研修=kenshu 社内=shanai 規程=kitei 規則=kisoku 手順=tejun 商品=shohin 製品=seihin "
    "注文=chumon 予約=yoyaku 受付=uketsuke 営業=eigyo 技術=gijutsu 医療=iryo 病院=byoin "
    "薬局=yakkyoku 学校=gakko 大学=daigaku 図書館=toshokan 旅行=ryoko 料理=ryori "
    "日本語=nihongo 英語=eigo 翻訳=honyaku 要約=yoyaku 分類=bunrui 問題=mondai 集=shu "
    "集計=shukei 例文=reibun 文章=bunsho 資料=shiryo 報告=hokoku 日報=nippo 議事録=gijiroku "
    "契約=keiyaku 請求=seikyu 経理=keiri 人事=jinji 総務=somu 採用=saiyo 返信=henshin "
    "返品=henpin 苦情=kujo 口コミ=kuchikomi 方言=hogen 先生=sensei 生徒=seito 子供=kodomo "
    "犬=inu 猫=neko 店=mise 新=shin 旧=kyu 最終=saishu 本番=honban 用=yo 版=ban 年=nen "
    "月=gatsu 日=nichi"
)
KANA = re.compile("[\u3041-\u30ff]")
ONLY_JAPANESE = re.compile("[歴対応観覧図書館営業医薬収録読訳検査転関済経験総記継]")
READINGS = dict(pair.split("=") for pair in JAPANESE.split())
WORDS = re.compile("|".join(sorted(READINGS, key=len, reverse=True)))
LONG_VOWELS = str.maketrans({"ー": ""})


def ascii_name(text: str) -> str:
    """Return `text` as a name: lower case, a-z, 0-9, dot, underscore and hyphen; "" if nothing is left."""
    normal = unicodedata.normalize("NFKC", text)
    if (
        KANA.search(normal)
        or ONLY_JAPANESE.search(normal)
        or not re.search(r"[^\W\d_]", WORDS.sub("", normal))
    ):
        normal = WORDS.sub(lambda found: f"-{READINGS[found[0]]}-", normal.translate(LONG_VOWELS))
    spelled = anyascii(normal).casefold()
    spelled = re.sub(r"(?<=\w)['’`](?=\w)", "", spelled)
    name = re.sub(r"[^a-z0-9._-]+", "-", spelled)
    return re.sub(r"[-_]{2,}", "-", name).strip("-._")[:LONGEST].strip("-._")


def name_of(file: Path) -> str:
    """Return the name that a file gives its experiment, or the first folder above it that says something."""
    path = file.resolve()
    stem = path.name
    while (shorter := re.sub(r"\.[A-Za-z]\w{0,7}$", "", stem)) not in ("", stem):
        stem = shorter
    for one in (stem, *(folder.name for folder in list(path.parents)[:3])):
        name = ascii_name(one)
        if name and not says_nothing(one, name):
            return name if re.search("[a-z]", name) else f"experiment-{name}"[:LONGEST]
    name = ascii_name(stem)
    return name if re.search("[a-z]", name) else f"experiment-{name}"[:LONGEST].strip("-")


def says_nothing(text: str, name: str) -> bool:
    """Return whether a name is one that files of training data often have, such as train-00000-of-00001."""
    left = text
    for word in GENERIC_WORDS:
        left = left.replace(word, "")
    if not left.strip("-_. 0123456789"):
        return True
    words = [word for word in re.split(r"[-_.\d]+", name) if word]
    return bool(words) and all(word in GENERIC.split() or word == "of" for word in words)
