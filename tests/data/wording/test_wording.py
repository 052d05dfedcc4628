# ruff: noqa: E501 - tables of texts
"""What words say: whether two texts say the same, whether two answers conflict, and in which language they are."""

from __future__ import annotations

import pytest

from ftrun.data.wording.conflicts import Conflict, conflict
from ftrun.data.wording.sameness import Sameness, sameness
from ftrun.langid.single import differ, sure_language

FERRY = "When does the ferry to the island leave on Sundays in winter?"
HARBOUR = (
    "The harbour was quiet that evening, and nobody expected the last ferry before the next morning came."
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How do I reset my password?", "Please, how can I reset my passwrod ??"),
        (FERRY, FERRY.upper()),
        (FERRY, "On Sundays in winter, when does the ferry to the island leave?"),
        ("What colour are the apples?", "What color are the apple"),
        ("Wie hoch ist der Preis für den Stuhl?", "wie hoch ist denn der Preis für den stuhl"),
        ("¿Cómo puedo cambiar la reserva?", "como puedo cambiar la reserva por favor"),
        ("ＡＢＣ１２", "abc12"),
        ("場所を教えてください。", "場所を教えて下さい"),
        ("サーバーの設定は？", "サーバの設定は"),
        ("島へのフェリーは冬の日曜日にいつ出ますか", "冬の日曜日に島へのフェリーはいつ出ますか"),
        ("请问北京的天气怎么样？", "北京天气怎么样"),
        ("서울의 날씨는 어때요?", "서울 날씨는 어때"),
        ("Как изменить адрес доставки?", "пожалуйста, как изменить адрес доставки"),
        ("पता कैसे बदल सकता हूँ?", "कृपया पता कैसे बदल सकता हूँ"),
    ],
)
def test_the_same_said_again(one: str, other: str) -> None:
    """Signs, case, width, fillers, typos, endings and the place of a clause say nothing else."""
    assert sameness(one, other) is sameness(other, one) is Sameness.SAME


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("what is the capital of peru", "what is the capital of chad"),
        ("Translate 'dog' into French", "Translate 'cat' into French"),
        ("Is Marta at home this evening?", "Is Maria at home this evening?"),
        ("Convert 5 km to miles", "Convert 6 km to miles"),
        ("how many miles to kilometres", "how many kilometres to miles"),
        ("How long is the train from Bern to Riga?", "How long is the train from Riga to Bern?"),
        ("How do I enable the alarm?", "How do I disable the alarm?"),
        ("The shop is open on Sundays", "The shop is not open on Sundays"),
        ("SELECT name FROM users", "SELECT email FROM users"),
        ("What is the syntax of sort()?", "What is the syntax of sorted()?"),
        ("東京の天気は？", "大阪の天気は？"),
        ("りんごはどこで買えますか", "みかんはどこで買えますか"),
        ("犬が猫を追いかける", "猫が犬を追いかける"),
        ("開いています", "開いていません"),
        ("北京的天气怎么样？", "上海的天气怎么样？"),
        ("서울의 날씨는 어때요?", "부산의 날씨는 어때요?"),
        ("Погода в Москве сегодня", "Погода в Киеве сегодня"),
        ("Wo ist der Stuhl?", "Wo ist der Tisch?"),
    ],
)
def test_another_question(one: str, other: str) -> None:
    """Another name, number, direction, identifier or content word, or a negation, makes another question."""
    assert sameness(one, other) is sameness(other, one) is Sameness.DIFFERENT


def test_another_ordinary_word_in_a_long_text_is_another_wording() -> None:
    """One word of many is neither the same nor different."""
    assert sameness(HARBOUR, HARBOUR.replace("quiet", "silent")) is Sameness.REWORDED


@pytest.mark.parametrize(
    ("question", "one", "other", "expected"),
    [
        ("Is it open?", "Yes, all day.", "No, never.", True),
        ("Ist offen?", "Ja, ab neun.", "Nein, Ruhetag.", True),
        ("駐車できますか？", "はい、裏にあります。", "いいえ、ありません。", True),
        ("When does it open?", "It opens at nine.", "It opens at ten.", True),
        ("When does it open?", "At nine.", "Our doors open at 9:00.", False),
        ("When does it open?", "It opens at 10.", "It opens at 1.", True),
        ("Which plan?", "AB-123", "AB-124", True),
        ("Spam?", "spam", "ham", True),
        ("Who leads?", "Mrs Lund leads the inn.", "The inn is led by Mrs Lund.", False),
        ("Do you deliver?", "Yes, we deliver to all islands.", "Certainly, every Tuesday by boat.", False),
    ],
)
def test_answers_conflict(question: str, one: str, other: str, expected: bool) -> None:
    """Yes and no, other values and labels conflict; the same in other words doesn't."""
    assert (conflict(question, one, other, labels=True) is Conflict.SURE) is expected
    assert (conflict(question, other, one, labels=True) is Conflict.SURE) is expected


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("如何使用Adobe Illustrator导出SVG文件？", "Han"),
        ("Kubernetes Ingress Controller怎么配置？", "Han"),
        ("Docker Compose는 어떻게 설치하나요?", "Korean"),
        ("Как установить Microsoft Visual Studio Community Edition?", "Cyrillic"),
        ("Πώς ανανεώνω την κάρτα;", "Greek"),
        ("איך מחדשים את הכרטיס?", "Hebrew"),
        ("कार्ड कैसे नवीनीकृत करें?", "Devanagari"),
        ("كيف أجدد البطاقة؟", "Arabic"),
        ("ต่ออายุบัตรอย่างไร", "Thai"),
        ("Ask at the counter and pay five euros for a new card.", "English"),
        ("¿Cuándo abre la piscina?", "Spanish"),
        ("Wann öffnet das Schwimmbad?", "German"),
        ("What does 猫 mean?", None),
        ("Adobe Photoshop, GIMP, Affinity Photo", None),
        ("mv old_name.txt new_name.txt", None),
        ("The Lord of the Rings", None),
        ("iPhone 15 Pro Max", None),
        ("42", None),
    ],
)
def test_the_language_of_a_text(text: str, language: str | None) -> None:
    """Letters count by what they say; names, titles, code and numbers are in no language."""
    assert sure_language(text) == language


def test_what_is_not_sure_does_not_differ() -> None:
    """Latin letters of an unknown language may be any, and Japanese may be without kana."""
    assert not differ("Latin", "Spanish")
    assert not differ("Han", "Japanese")
    assert differ("Latin", "Greek")
    assert differ("English", "Spanish")
