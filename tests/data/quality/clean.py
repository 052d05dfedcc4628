# ruff: noqa: E501 - a question and its answer stand in one line
"""Everyday texts in two languages that nothing is wrong with: no check may say anything about them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ftrun.data.quality.scan import Scanner
from ftrun.protocol.faults import Fault
from ftrun.protocol.plain_chats import TrainingRow

ENGLISH = (
    ("How do I keep basil alive indoors?", "Give it a sunny sill, water it when the soil is dry, and pinch the tips."),
    ("When does the library open?", "It opens at 9:30 on weekdays and at 10:00 on Saturdays."),
    ("What’s a good gift for a runner?", "A headlamp. It’s light, it’s useful, and it isn’t another T-shirt."),
    ("Convert 5 miles to kilometres.", "5 miles are about 8.05 km."),
    ("How do I undo my last commit?", "Run `git reset --soft HEAD~1`; your changes stay in the index."),
    ("Show me a Jinja template.", "Here it is:\n```jinja\nHello {{ name }}, {% if late %}hurry{% endif %}!\n```"),
    ("How do I write a for loop in Go?", "for i := 0; i < 10; i++ {\n\tfmt.Println(i)\n}"),
    ("What is a TODO list?", "A TODO list names what is still to be done, one line each."),
    ("Is 192.168.0.1 a public address?", "No: 192.168.0.0/16 is private, and so is 10.0.0.0/8."),
    ("Which version do I need?", "Version 3.11.7 or newer; 2.7.18 is too old. See chapter 4.1.2 of the manual."),
    ("How long is a marathon?", "It is 42.195 km, or 26.2 miles, which is 46,145 yards."),
    ("Can I pay by card?", "Yes, by card, by bank transfer, or in cash at the counter."),
    ("What is the ISBN?", "It is ISBN 978-4-00-310101-8, second edition of 2015-04-16."),
    ("When did the meeting happen?", "On 2024-03-15 from 14:00 to 15:30, in room 204."),
    ("What does HTTP 404 mean?", "The page was not found; 500 to 599 are faults of the server."),
    ("Tell me about cafés in Orléans.", "Near the Loire there are naïve façades, crème brûlée and déjà vu."),
    ("Explain the emoji 👩‍👩‍👧.", "It is a family 👨‍👩‍👧‍👦, joined by invisible characters; 👍🏽 has a tone."),
    ("What’s 2 + 2 × 3?", "Multiply first: 2 × 3 = 6, then 6 + 2 = 8."),
    ("How much is the house?", "It costs $1,250,000 (about €1,150,000), or 3,200 a month."),
    ("Give me the population of Japan.", "About 124,000,000 people, or 1.24e8."),
    ("What is pi?", "3.14159265358979 and so on: it never ends."),
    ("Who quoted the king?", "“[The king] was late”, the letter says, “and [we] waited.”"),
    ("How do I link in Markdown?", "Write [Title](https://www.python.org/doc/) and see footnote [1]."),
    ("What is a hash?", "The SHA-256 of an empty file begins with e3b0c44298fc1c149afbf4c8996fb924."),
    ("Which is longer, a < b or b > c?", "Neither; both <b>bold</b> and <i>italic</i> tags are short."),
    ("What is my order number?", "It is 20240315123456; keep the slip until it arrives."),
    ("How do I keep a token secret?", "Put the token into an environment variable and never into the code."),
    ("How do I reset my password?", "Open the settings, choose password, and follow the link we send."),
    ("What does @property do?", "@property turns a method into an attribute; @staticmethod takes no self."),
    ("What was the score?", "It ended 3-2 after 120 minutes; in 1998 it was 2-1-0."),
    ("Which train do I take?", "The 10-15-20 timetable has the 8:05, 8:20 and 8:35."),
    ("How do I say thanks in Arabic?", "You say شكرا, and in Hebrew תודה."),
    ("Where is it on the map?", "At 35.6895, 139.6917, that is 35°41′22″N 139°41′30″E."),
    ("What do São Paulo and Ångström share?", "A letter that plain ASCII lacks: ã in one, Å in the other."),
    ("How do I keep a git SHA short?", "Use git rev-parse --short; 1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d7e8f9a0b is long."),
    ("What is the file's path?", "It is /usr/local/share/doc/packages/python3/README2.html on this machine."),
)  # fmt: skip
JAPANESE = (
    ("朝ごはんは何がいいですか？", "ご飯と味噌汁、それに焼き魚があれば十分です。"),
    ("会議は何時からですか？", "10:30からです。場所は3階の会議室です。"),
    ("今年は何年ですか？", "2024年、令和6年です。二〇二四年とも書きます。"),
    ("これは正しいですか？", "○が正解、×が不正解です。△は半分正解です。"),
    ("値段はいくらですか？", "税込で1,980円、送料は500円です。10,000円以上は無料です。"),
    ("TODOリストの作り方は？", "TODOリストには、やることを一行ずつ書きます。"),
    ("いつ届きますか？", "2024年3月15日（金）の14:00〜16:00に届きます。"),
    ("警察は何番ですか？", "110番です。救急と消防は119番です。"),
    ("Windowsの更新方法は？", "「設定」→「Windows Update」を開いて、更新を確認します。"),
    ("Pythonで合計を出すには？", "`sum([1, 2, 3])`と書くと、6になります。"),
    ("縺れた糸をほどくには？", "縺れた糸は、端からゆっくり引けばほどけます。"),
    ("五十音の初めは？", "ｱ､ｲ､ｳ､ｴ､ｵ､ｶ、の順です｡ ﾃｽﾄ､ﾊﾞｰｼﾞｮﾝ､ﾒﾓﾘも半角です｡"),
    ("フリーダイヤルは？", "0120-123-456、または0570-012-345です。"),
    ("誕生日はいつですか？", "1990年1月1日生まれなので、34歳です。"),
    ("円周率を教えてください。", "3.14159265358979…と続き、終わりません。"),
    ("部品の型番は？", "AB-1234-5678です。在庫は12個あります。"),
    ("注文番号がわかりません。", "メールの件名にある20240315-0012がそれです。"),
    ("気温はどうですか？", "最高気温は25.5℃、湿度は60％です。"),
    ("ｶﾀｶﾅの半角は使いますか？", "古いシステムではﾃﾞｰﾀに残っていますが、今は全角が普通です。"),
    ("コーヒーとラーメンは？", "スーパーで買えます。カレーもあります。"),
    ("「〜」の読み方は？", "「から」または「にょろ」と読みます。"),
    ("距離はどれくらい？", "駅から徒歩5〜7分、約450mです。"),
    ("会員番号は何桁？", "8桁です。カードの裏にあります。"),
    ("お名前は？", "ミケです。よろしくお願いします。"),
    ("住所はどこに書く？", "封筒の表に、郵便番号と住所を書きます。"),
    ("暗証番号を忘れました。", "窓口で本人確認をすれば、パスワードを再発行できます。"),
    ("割引は？", "3〜5個で5％、6個以上で10％引きです。"),
    ("統計の年度は？", "2019-2023の5年間です。2020-04-01から数えます。"),
    ("絵文字は使える？", "使えます😀👨‍👩‍👧。"),
    ("第１章はどこ？", "目次の３行目にあります。"),
    ("ＡＢＣ順とは？", "文字の順に並べることです。"),
)  # fmt: skip
PERSONAS = ("You are a helpful assistant.", "あなたは親切な案内係です。")


def rows() -> list[dict[str, Any]]:
    """Return the texts as training rows."""
    return [row(question, answer) for question, answer in (*ENGLISH, *JAPANESE)]


def row(question: str, answer: str, system: str | None = None) -> dict[str, Any]:
    """Return a training row of one question and its answer."""
    head = [{"role": "system", "content": system}] if system else []
    return {
        "messages": [*head, {"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    }


LONG = "The harbour was quiet that evening, and nobody expected the last ferry before the next morning came."
ANIMALS = ("犬", "猫", "鳥", "馬", "牛", "羊", "狐", "狸", "熊", "鹿", "兎", "亀", "蛇", "鯨", "鮭", "蝶")
VERBS = ("走る", "眠る", "歌う", "食べる", "泳ぐ", "笑う", "考える", "遊ぶ")


def lines(rows: Iterable[dict[str, Any]]) -> str:
    """Return a chat file."""
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows)


def plain(number: int) -> dict[str, Any]:
    """Return one of 120 short Japanese rows with nothing in common but their language."""
    animal, verb = ANIMALS[number % 15], VERBS[number // 15 % 8]
    return row(f"{animal}はいつ{verb}のですか", f"{animal}がよく{verb}のは、{VERBS[number % 8]}季節です。")


def scanned(example: dict[str, Any], scanner: Scanner | None = None) -> list[Fault]:
    """Return what a scanner finds in one row; without `scanner` by one that has seen nothing before."""
    return [fault for _, fault in (scanner or Scanner()).scan_all([TrainingRow(example, None)])]
