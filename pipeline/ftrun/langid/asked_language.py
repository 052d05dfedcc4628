# ruff: noqa: E501 - a long table of words
"""What a question says that asks for another language."""

from __future__ import annotations

import re

OF_LANGUAGES = re.compile(
    r"翻訳|訳し|英訳|和訳|訳せ|[英日中韓仏独]語|[露西]語|英文|和文|ローマ字|単語|意味|読み方|発音"
    r"|翻[译譯]|[译譯]成|[译譯]为|英[语語文]|中文|日[语語文]|法[语語文]|德[语語文]|韩[语語文]|俄[语語文]|单词|怎么说|怎麼說"
    r"|번역|영어|일본어|중국어|한국어|프랑스어|독일어|스페인어|단어"
    r"|перев[её][дс]|перевод|английск|японск|французск|немецк|русск|по-англ|слов[оа]\b"
    r"|μετ[αά]φρ|αγγλικ|γαλλικ|γερμανικ|ελληνικ|ιαπωνικ|תרגמ?|אנגלית|עברית|צרפתית|מילה"
    r"|ترجم|الإنجليزية|بالإنجليزية|الفرنسية|العربية|كلمة|انگلیسی|अनुवाद|अंग्रेज़ी|अंग्रेजी|इंग्लिश|हिंदी|हिन्दी"
    r"|แปล|ภาษาอังกฤษ|ภาษาไทย|ภาษาญี่ปุ่น|คำว่า"
    r"|translat|transliterat|romaji|romani[sz]|pronounc|\bhow do (?:you|i|we) say\b|\bsay\b.{1,40}\bin [A-Z]"
    r"|\b(?:english|japanese|french|german|spanish|chinese|mandarin|korean|russian|italian|latin|greek|hebrew|hindi"
    r"|arabic|thai|turkish|polish|dutch|swedish|vietnamese|indonesian|portuguese|ukrainian|language|phrase)\b"
    r"|tradu[cçz]|tradui|traduire|übersetz|vertaal|przetłumacz|çevir|översätt|dịch|terjemah"
    r"|\b(?:ingl[eé]s[ae]?|anglais|englisch\w*|engels|engelska|angielsk\w*|ingilizce|inggris|tiếng anh|inglese"
    r"|español|espagnol|spanisch\w*|castellano|francés|français|französisch\w*|francese|alemán|allemand|deutsch\w*"
    r"|tedesco|italiano|italien|italienisch\w*|português|portugais|japonés|japonais|japanisch\w*|idioma|langue|sprache"
    r"|lingua)\b",
    re.IGNORECASE,
)
