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
# once it is known that a name is Japanese, its other everyday characters are read so, too
JAPANESE_TOO = (
    "私=watashi 僕=boku 未=mi 商店=shoten 店舗=tempo 会社=kaisha 市役所=shiyakusho 役所=yakusho "
    "案内=annai 旅館=ryokan 温泉=onsen 食堂=shokudo 用語=yogo 解説=kaisetsu 説明=setsumei 社員=shain "
    "家族=kazoku 友達=tomodachi 友人=yujin 仕事=shigoto 会議=kaigi 授業=jugyo 教室=kyoshitsu "
    "試験=shiken 日記=nikki 小説=shosetsu 物語=monogatari 俳句=haiku 大阪=osaka 東京=tokyo 京都=kyoto "
    "花子=hanako 太郎=taro 田中=tanaka 佐藤=sato 鈴木=suzuki 高橋=takahashi 山田=yamada 伊藤=ito "
    "渡辺=watanabe 中村=nakamura 小林=kobayashi 加藤=kato 新規=shinki 追加=tsuika 修正=shusei "
    "査定=satei 対訳=taiyaku 価格=kakaku 天気=tenki 販売=hanbai 完成=kansei "
    "済=zumi 前=mae 後=ato 緑=midori 山=yama 川=kawa 花=hana 海=umi 空=sora 町=machi "
    "村=mura 市=shi 薬=kusuri 本=hon 家=ie 母=haha 父=chichi 兄=ani 弟=ototo 妹=imoto 弁=ben "
    "語=go 話=hanashi 文=bun 表=hyo 書=sho 部=bu 課=ka 室=shitsu 校=ko 園=en 館=kan 屋=ya 堂=do 所=sho "
    "係=gakari 様=sama 君=kun 氏=shi 全=zen 大=dai 小=sho 中=naka 第=dai 回=kai 号=go 春=haru 夏=natsu "
    "秋=aki 冬=fuyu 答=kotae 問=mon 人=hito 何=nani 声=koe 車=kuruma 例=rei 版=ban"
)
# what LINE and WhatsApp put around the name of who the chat is with
CHAT = re.compile(
    r"^\[LINE\]\s*(?:Chat (?:history )?(?:with|in)\s+)?"
    r"|^WhatsApp[ -]Chat[ -](?:with|mit|-)\s*|^Chat (?:de|do|di) WhatsApp (?:con|com)\s+"
    r"|^Discussion WhatsApp avec\s+|(?:との)?トーク(?:履歴)?(?=\s*(?:[(_]?\d*\)?)$)"
    r"|님과 카카오톡 대화$|的聊天记录$|的聊天記錄$"
)
KANA = re.compile("[\u3041-\u30ff]")
KANJI = re.compile("[\u3400-\u9fff々]")
ONLY_JAPANESE = re.compile(
    "[歴対応観覧図営薬収録読訳検査転関済経験総継"
    "駅働込枠畑沢択釈広拡価仮拠挙軽剣険圏顕権県恵単帰気団売続聴鉄様桜楽覚実焼乗]"
)
SURELY = dict(pair.split("=") for pair in JAPANESE.split())
READINGS = {**dict(pair.split("=") for pair in JAPANESE_TOO.split()), **SURELY}
SURE_WORDS, WORDS = (
    re.compile("|".join(sorted(words, key=len, reverse=True))) for words in (SURELY, READINGS)
)
LONG_VOWELS = str.maketrans({"ー": ""})


def ascii_name(text: str) -> str:
    """Return `text` as a name: lower case, a-z, 0-9, dot, underscore and hyphen; "" if nothing is left."""
    whole = unicodedata.normalize("NFKC", text)
    normal = CHAT.sub("", whole) or whole
    if (
        KANA.search(whole)
        or ONLY_JAPANESE.search(normal)
        or not re.search(r"[^\W\d_]", SURE_WORDS.sub("", normal))
    ):
        read = WORDS.sub(lambda found: f"-{READINGS[found[0]]}-", normal.translate(LONG_VOWELS))
        unread = "".join(KANJI.findall(read))
        if 2 * len(unread) <= len("".join(KANJI.findall(normal))):  # rather none than a Chinese reading
            read = KANJI.sub("-", read)
        normal = read
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
