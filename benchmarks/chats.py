"""Generate the chats of the data benchmark: seeded, in everyday Japanese and English, endlessly.

Sentences are patterns filled with words, so that they vary and still read naturally.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

SYSTEM = (
    "あなたは、相手の話の前提を確かめてから答える相談役です。根拠のない話には根拠を尋ね、思い込みには別の見方を示します。"
    "答えは二、三文にまとめ、専門用語は避け、やさしい言葉で話してください。数字や固有名詞は、質問に出てきたものだけを使い、"
    "分からないことは分からないと正直に言います。医療、法律、投資については一般的な説明にとどめ、専門家への相談をすすめます。"
    "相手を責めず、落ち着いた調子を保ち、最後に次の一歩を一つだけ提案してください。"
    "Answer in the language of the question."
)


class Language(NamedTuple):
    """What is said in a language: questions, answers, the words put into both, and what stands between."""

    questions: list[str]
    answers: list[str]
    things: list[str]
    people: list[str]
    places: list[str]
    between: str


QUESTIONS_JA = """\
{t}を始めたいのですが、何から手をつければいいですか？
{t}って、正直なところ意味があるんですか？
{place}で{t}について相談できるところを知りませんか？
"""
ANSWERS_JA = """\
最近、{p}に{t}をすすめられました。でも、{t2}のほうが大事だと思っています。
{n}年前から{t}を続けていますが、なかなか上達しません。
それは、{t}そのものが悪いのではなくて、やり方の問題だと思います。
まず、{t}に使っている時間を{n}日だけ記録してみてください。意外と無駄が見つかります。
{t}と{t2}を同時にやろうとすると、たいていどちらも中途半端になります。
結論から言うと、{t}は後回しでかまいません。先に{t2}を片づけましょう。
一般に、{t}にかかる費用は月{n}円ほどと言われていますが、{place}ではもう少し高いかもしれません。
「{t}なら誰でもできる」という人がいますが、それは少し言いすぎです。
もし{p}が反対しているなら、理由を先に聞いたほうが早いですよ。
私の経験では、{t}は{n}か月くらいで慣れる人が多いです。
ただし、{t2}の状況によっては、専門の人に確認する必要があります。
分からないことは、{p}に聞くか、公式の案内を読むのがいちばん確実です。
朝に{n}分だけ時間をとって、{t}の予定を書き出すと、気持ちが楽になります。
データがないので断言はできませんが、{t}で困る人は少なくありません。
ええ、そのとおりです。{t}は続けることに意味があります。
いいえ、{t2}は関係ありません。原因は別のところにあるはずです。
たとえば、{place}に住んでいる場合は、{t}よりも{t2}を優先したほうがよいでしょう。
"""
QUESTIONS_EN = """\
Is {t} really worth it, or would {t2} be a better choice?
{P} told me that {t} doesn't matter much anymore. Is that true?
What's the difference between {t} and {t2}?
Could you explain, step by step, what to do about {t}?
"""
ANSWERS_EN = """\
How should I get started with {t}? I've only got about {n} minutes a day.
I've been struggling with {t} for {n} weeks, and nothing seems to help.
Short answer: yes, but only if you keep {t2} separate from {t}.
First, write down what you already know about {t}; it's usually more than you'd think.
You don't need to finish everything today. Pick one part of {t} and spend {n} minutes on it.
In most cases {t} is fine as it is, and the real problem is {t2}.
If {p} disagrees, ask for the reason before you change anything.
It depends on how often you use {t}: once a month is different from every day.
I'd wait until {t2} is settled, because the two affect each other.
That said, nobody can promise a result, so treat the number {n} as a rough estimate.
A good rule of thumb is to check {t} twice and to keep a copy somewhere safe.
Unfortunately, I can't verify that; please look it up in the official documentation.
For example, {p} might prefer a short summary of {t} over a long e-mail.
Then compare the results, note what changed, and repeat it with {t2}.
"""
THINGS_JA = """\
仕事
転職
英語の勉強
プログラミング
投資
一人暮らし
結婚
ダイエット
筋トレ
料理
読書
睡眠
子育て
引っ越し
留学
副業
年金
保険
確定申告
スマホ
パソコン
動画編集
音楽
ゲーム
旅行
車
自転車
電気代
食費
貯金
通勤
会議
上司
部下
面接
履歴書
資格
大学受験
論文
統計
機械学習
データベース
表計算
写真
犬
猫
花粉症
腰痛
歯医者
健康診断
"""
PEOPLE_JA = """\
友人
家族
上司
先生
同僚
親
子供
医者
担当者
お客さん
先輩
後輩
隣の人
店員さん
"""
PLACES_JA = """\
東京
大阪
札幌
福岡
会社
家
学校
図書館
病院
駅前
海外
地方
カフェ
オンライン
"""
THINGS_EN = """\
the new printer
my savings account
a weekly meal plan
the onboarding guide
our database backup
a used car
the quarterly report
an online course
a home router
the garden
my resume
a small business
the unit tests
a spreadsheet
the heating bill
a second language
the user manual
my sleep schedule
a rental contract
the old laptop
"""
PEOPLE_EN = """\
my manager
a friend
the support team
our neighbour
the doctor
a colleague
my sister
the landlord
the teacher
a customer
"""
PLACES_EN = """\
town
"""
JAPANESE = Language(
    questions=QUESTIONS_JA.splitlines(),
    answers=ANSWERS_JA.splitlines(),
    things=THINGS_JA.splitlines(),
    people=PEOPLE_JA.splitlines(),
    places=PLACES_JA.splitlines(),
    between="",
)
ENGLISH = Language(
    questions=QUESTIONS_EN.splitlines(),
    answers=ANSWERS_EN.splitlines(),
    things=THINGS_EN.splitlines(),
    people=PEOPLE_EN.splitlines(),
    places=PLACES_EN.splitlines(),
    between=" ",
)


def say(chance: random.Random, language: Language, patterns: list[str], most: int) -> str:
    """Return one to `most` sentences."""
    sentences = []
    for pattern in chance.choices(patterns, k=chance.randint(1, most)):
        person = chance.choice(language.people)
        words = {
            "t": chance.choice(language.things),
            "t2": chance.choice(language.things),
            "p": person,
            "P": person[:1].upper() + person[1:],
            "place": chance.choice(language.places),
            "n": chance.randint(2, 9000),
        }
        sentences.append(pattern.format_map(words))
    return language.between.join(sentences)


def chats(seed: int) -> Iterator[list[dict[str, str]]]:
    """Yield chats of one to three turns under one system prompt, three of five in Japanese."""
    chance = random.Random(seed)
    while True:
        language = JAPANESE if chance.random() < 0.6 else ENGLISH
        messages = [{"role": "system", "content": SYSTEM}]
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            messages.append({"role": "user", "content": say(chance, language, language.questions, 3)})
            messages.append({"role": "assistant", "content": say(chance, language, language.answers, 6)})
        yield messages
