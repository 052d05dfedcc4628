"""Telling encodings of many languages: right, or unsure with the right one among the first two."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftrun.data.readers.encodings import encoding_candidates
from test_encoding_detection import DECOYS, pieces

TABLES = {
    "ko": ("질문,답변", "수영장은 {n}층에 있나요?", "네 {n}층 엘리베이터 옆에 있습니다.", "cp949 euc_kr"),
    "zh-Hant": ("問題,答案", "第{n}號窗口幾點開門？", "早上{n}點開門，週日休息。", "big5 cp950"),
    "zh-Hans": ("问题,答案", "第{n}号窗口几点开门？", "早上{n}点开门，周日休息。", "gb18030 gbk"),
    "he": ("שאלה,תשובה", "באיזו שעה נפתח אשנב {n}?", "האשנב נפתח בשעה {n} בבוקר.", "cp1255"),
    "ar": ("السؤال,الجواب", "متى يفتح الشباك رقم {n}؟", "يفتح الشباك في الساعة {n} صباحا.", "cp1256"),
    "ru": ("Вопрос,Ответ", "Когда открывается окно {n}?", "Окно открывается в {n} утра.", "cp1251 koi8_r"),
    "caps": ("ВОПРОС,ОТВЕТ", "КОГДА ОТКРЫВАЕТСЯ ОКНО {n}?", "ОКНО ОТКРЫВАЕТСЯ В {n} УТРА.", "cp1251 koi8_r"),
    "uk": ("Питання,Відповідь", "Коли каса {n}?", "Каса відкривається о {n} ранку.", "cp1251 koi8_u"),
    "el": ("Ερώτηση,Απάντηση", "Πότε ανοίγει η θυρίδα {n};", "Η θυρίδα ανοίγει στις {n} το πρωί.", "cp1253"),
    "th": ("คำถาม,คำตอบ", "เคาน์เตอร์ {n} เปิดกี่โมง", "เคาน์เตอร์เปิดเวลา {n} โมงเช้า", "cp874"),
    "tr": ("Soru,Cevap", "{n} numaralı gişe kaçta açılıyor?", "Gişe sabah {n} gibi açılıyor.", "cp1254"),
    "pl": ("Pytanie,Odpowiedź", "O której otwiera się kasa {n}?", "Kasa otwiera się o {n} rano.", "cp1250"),
    "cs": ("Otázka,Odpověď", "Kdy se otevírá přepážka {n}?", "Přepážka se otevírá v {n} ráno.", "cp1250"),
    "hu": ("Kérdés,Válasz", "Mikor nyit a {n}. pénztár?", "A pénztár {n} órakor nyit, hétfőn is.", "cp1250"),
    "fr": ("Question,Réponse", "À quelle heure ouvre le guichet {n} ?", "Il ouvre à {n} h l’été.", "cp1252"),
    "es": ("Pregunta,Respuesta", "¿A qué hora abre la taquilla {n}?", "A las {n}; mañana también.", "cp1252"),
    "de": ("Frage,Antwort", "Wann öffnet Schalter {n}?", "Schalter {n} öffnet um acht Uhr früh.", "cp1252"),
    "utf-16": ("質問,回答", "第一の窓口{n}は？", "一階の一番奥、{n}番です。", "utf-16-le utf-16-be"),
    "zh-16": ("问题,答案", "一号窗口{n}？", "一楼一直走，{n}。", "utf-16-le utf-16-be"),
}  # fmt: skip
SURE = {
    "cp949",
    "euc_kr",
    "gb18030",
    "gbk",
    "big5",
    "cp1255",
    "cp1256",
    "cp1251",
    "koi8_r",
    "cp1253",
    "cp874",
}


@pytest.mark.parametrize(("language", "encoding"), [(k, e) for k, t in TABLES.items() for e in t[3].split()])
@pytest.mark.parametrize("rows", [12, 30])
def test_short_tables_are_read_right_or_asked_about(
    tmp_path: Path, language: str, encoding: str, rows: int
) -> None:
    """One candidate is the right one; of several, it is among the first two."""
    header, asked, answered, _ = TABLES[language]
    lines = [header, *(f"{asked.format(n=n)},{answered.format(n=n)}" for n in range(1, rows))]
    path = tmp_path / "faq.csv"
    path.write_bytes(content := ("\n".join(lines) + "\n").encode(encoding))
    candidates = encoding_candidates(path)
    readings = [content.decode(name, "replace") for name in candidates[:2]]
    assert content.decode(encoding) in readings
    assert len(candidates) == 1 or encoding not in SURE or language == "caps"


@pytest.mark.parametrize(("names", "texts"), DECOYS.items())
def test_pieces_of_text_are_never_read_wrongly(
    tmp_path: Path, names: tuple[str, ...], texts: tuple[str, ...]
) -> None:
    """Words, parts of them and letters in any order: where one encoding alone is named, it is right."""
    path = tmp_path / "faq.csv"
    for encoding in names:
        for text in pieces(texts, encoding)[::5]:
            path.write_bytes(content := text.encode(encoding, "ignore"))
            candidates = encoding_candidates(path)
            if len(candidates) == 1:
                assert content.decode(candidates[0], "replace") == content.decode(encoding), content
