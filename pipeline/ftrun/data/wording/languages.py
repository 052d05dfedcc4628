# ruff: noqa: E501 - long tables of words
"""In which language a text is, as far as that is sure: by its script, and within Latin by its function words.

Letters are weighed by what they say: one Han character is worth about three Latin letters. Names of products
and people are in every language, so a text of names alone is in none.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import lru_cache

LOOKED_AT = 600  # characters
# letters of a script, and how many Latin letters one of them is worth
SCRIPTS: tuple[tuple[str, re.Pattern[str], float], ...] = (
    ("Japanese", re.compile("[ぁ-んァ-ヺ]"), 2),
    ("Han", re.compile("[一-鿿㐀-䶿]"), 3),
    ("Korean", re.compile("[가-힣ㄱ-ㅎ]"), 2.5),
    ("Cyrillic", re.compile("[\u0400-\u052f]"), 1),
    ("Greek", re.compile("[\u0370-\u03ff\u1f00-\u1fff]"), 1),
    ("Hebrew", re.compile("[\u05d0-\u05ea]"), 1.3),
    ("Arabic", re.compile("[\u0620-\u064a\u066e-\u06d3\u06fa-\u06fc]"), 1.3),
    ("Devanagari", re.compile("[\u0900-\u0963\u0971-\u097f]"), 1),
    ("Bengali", re.compile("[\u0980-\u09e5\u09f0-\u09ff]"), 1),
    ("Gurmukhi", re.compile("[\u0a00-\u0a65\u0a70-\u0a7f]"), 1),
    ("Gujarati", re.compile("[\u0a80-\u0ae5\u0af0-\u0aff]"), 1),
    ("Tamil", re.compile("[\u0b80-\u0be5\u0bf0-\u0bff]"), 1),
    ("Telugu", re.compile("[\u0c00-\u0c65\u0c70-\u0c7f]"), 1),
    ("Kannada", re.compile("[\u0c80-\u0ce5\u0cf0-\u0cff]"), 1),
    ("Malayalam", re.compile("[\u0d00-\u0d65\u0d70-\u0d7f]"), 1),
    ("Sinhala", re.compile("[\u0d80-\u0dff]"), 1),
    ("Thai", re.compile("[\u0e01-\u0e4e]"), 1),
    ("Lao", re.compile("[\u0e81-\u0ecd]"), 1),
    ("Burmese", re.compile("[\u1000-\u103f\u1050-\u109f]"), 1),
    ("Georgian", re.compile("[\u10a0-\u10ff]"), 1),
    ("Armenian", re.compile("[\u0531-\u0587]"), 1),
    ("Amharic", re.compile("[\u1200-\u137f]"), 2),
    ("Khmer", re.compile("[\u1780-\u17d3]"), 1),
)
LATIN = re.compile("[A-Za-zÀ-ÖØ-öø-ɏḀ-ỿ]")
MAIN, MINOR = 0.4, 0.15  # of the weight: from MAIN on it is the text's script, below MINOR it is quoted
LAST_LATIN = "\u024f"
FOREIGN_ENOUGH = 4  # weight of letters that can't be a symbol or the unit of a number
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
MAY_BE_CODE = re.compile(r"[`<@/\\_$(]|\w\.\w|[A-Za-z0-9_-]{25}")
NOT_SAID = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]*`|<[^<>\n]{1,80}>|\bhttps?://\S+|\bwww\.\S+|\S+@\S+\.\S+|[A-Za-z0-9_-]{25,}"
    r"|\b\w+(?:[./\\_]\w+)+|\w+\(\)|\$\S+",
    re.DOTALL,
)
CODE_SIGNS = ("`", "{", "}", ";", "=", "<", ">", "def ", "return", "SELECT")  # all code has one of them
CODE = re.compile(r"```|[{};=<>]{2}|[{};]\s*$|\bdef \w|\breturn\b|\bSELECT\b.+\bFROM\b", re.MULTILINE)
FUNCTION_WORDS: dict[str, frozenset[str]] = {
    name: frozenset(words.split())
    for name, words in {
        "English": """the of and to is are was were be been have has had it its this that these those with for from
            on at by as an or not but if you your we our they their he she his her i my me do does did can will
            would should could which what when where who how why there than then into about after before only also
            so because while just more please yes no don't can't isn't i'm it's we're you're won't doesn't didn't that's there's any all
            some out up over""",
        "Spanish": """el los las un una unos unas de del y en que con por para su sus se lo al como más pero es son
            está están fue ser hay muy sin sobre también ya cuando cuándo dónde donde qué cuál cuáles cómo quién
            cuánto cuántos este esta estos desde hasta tiene tienen puede puedo puedes hacer mi tu le nos sí la no a o me si""",
        "French": """le les des un une du et est sont dans que qui pour par sur avec ce cette ces il elle ils nous
            vous je au aux pas ne plus où mais ou être avoir fait peut comment quel quelle quels quelles quand
            pourquoi sa ses leur leurs votre notre mon ma mes d'un d'une c'est l'on jusqu'à chez combien très oui la à en non si y""",
        "German": """der die das den dem des ein eine einen einem einer und ist sind war nicht mit auf für von zu im
            in am an bei aus nach über unter wird werden wurde haben hat kann können ich du er sie es wir ihr mein
            meine wie was wann wo wer warum welche welcher welches auch oder aber wenn dass zum zur sich man noch
            nur sehr ja um vom so mal hier bitte""",
        "Italian": """il lo gli un uno una di del della dei delle degli e è sono che con per non si da dal dalla nel
            nella alla al come più ma anche questo questa quando dove chi cosa quale quali perché quanto quanti ho
            ha hanno può posso sul sulla su tra mio mia suo sua molto ogni sì la a i no se o ma le""",
        "Portuguese": """o os um uma uns umas de do da dos das e em no na nos nas que com por para se não mais mas é
            são está foi ser tem têm ao à às como quando onde quem qual quais porque quanto quantos pode posso você
            eu meu minha seu sua este esta isso muito também até já pelo pela sim a o não as""",
        "Dutch": """de het een en van is zijn was niet met op voor dat die te aan bij uit naar over door ook als maar
            of om er je jij u ik wij we hij zij mijn uw hoe wat wanneer waar wie waarom welke kan kunnen wordt
            worden heeft hebben nog wel geen deze dit ja""",
        "Swedish": """och att det som en ett är var på för med av till den de inte har hade kan ska jag du vi ni han
            hon hur vad när var vem varför vilken vilka om men eller från också mycket detta dessa ja""",
        "Polish": """i w na z do nie że się jest są to jak co kiedy gdzie kto dlaczego który która które czy po od
            dla przez o ale lub oraz przed można może mam ma być był była tego tej ten ta ile już tylko bardzo tak""",
        "Turkish": """ve bir bu için ile ne nasıl nerede zaman kim hangi kaç mı mi mu mü değil var yok çok daha olarak
            olan gibi ama veya kadar sonra önce en o şu her evet hayır""",
        "Vietnamese": """và là của có không cho các những một trong với được này đó khi ở từ để như thế nào tại sao
            ai gì bao nhiêu đâu mấy tôi bạn chúng họ rất hơn nhưng hoặc hay đã sẽ đang vào lúc đến""",
        "Indonesian": """yang dan di ke dari untuk dengan ini itu adalah tidak pada dalam akan bisa dapat saya anda
            kami kita mereka apa kapan mana siapa mengapa bagaimana berapa juga atau tetapi karena ada lebih sudah
            belum jika""",
    }.items()
}
OWN_LETTERS = {"Spanish": "¿¡ñ", "German": "ß", "Portuguese": "ãõ", "Polish": "łżśźęą", "Turkish": "ğış"}
OF_WORD = {
    word: tuple(name for name, known in FUNCTION_WORDS.items() if word in known)
    for word in frozenset[str]().union(*FUNCTION_WORDS.values())
}
# what a question says that asks for another language
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
FEWEST_WORDS, MANY_WORDS = 3, 12
SURE, SURE_SHARE = 1.5, 0.2  # words that only this language has, and the share of function words in all
AHEAD = 1.9  # times as many as of the next language


@lru_cache(maxsize=4096)
def language_of(text: str) -> str | None:
    """Return the language or the script of a text, None where it isn't sure; code is in no language."""
    head = text[:LOOKED_AT]
    if any(sign in head for sign in CODE_SIGNS) and CODE.search(head) and max(head) <= LAST_LATIN:
        return None
    if MAY_BE_CODE.search(head):
        head = NOT_SAID.sub(" ", head)
    weights: dict[str, float] = {}
    for letter, times in Counter(head).items() if not head.isascii() else ():
        name, weight = _script_of(letter)
        weights[name] = weights.get(name, 0) + times * weight
    weights.pop("", None)
    latin = len(LATIN.findall(head))
    total = latin + sum(weights.values())
    if latin >= (1 - MINOR) * total:
        return _latin(head)
    if weights.get("Japanese"):
        weights["Japanese"] += weights.pop("Han", 0)
    name = max(weights, key=lambda one: weights[one])
    if weights[name] < FOREIGN_ENOUGH:
        return None
    # beside sentences in Latin letters the script must have the say; beside names it has it
    sentences = any(word in OF_WORD for word in WORD.findall(head.casefold()))
    return name if weights[name] >= (MAIN if sentences else MINOR) * total else None


@lru_cache(maxsize=8192)
def _script_of(letter: str) -> tuple[str, float]:
    """Return the script of a letter that isn't Latin, and its weight."""
    return next(((name, weight) for name, pattern, weight in SCRIPTS if pattern.match(letter)), ("", 0))


def _latin(head: str) -> str | None:
    """Return the language of a text in Latin letters; Latin: it has sentences, but it isn't sure in which."""
    words = WORD.findall(unicodedata.normalize("NFC", head).casefold())
    if len(words) < FEWEST_WORDS or _names(head):
        return None  # titles and names are in every language
    scores = dict.fromkeys(FUNCTION_WORDS, 0.0)
    languages = Counter(OF_WORD[word] for word in words if word in OF_WORD)
    known = languages.total()
    for having, times in languages.items():
        for name in having:
            scores[name] += times / len(having)
    for name, letters in OWN_LETTERS.items() if not head.isascii() else ():
        scores[name] += any(letter in head for letter in letters)
    second, most = sorted(scores.values())[-2:]
    if known < SURE_SHARE * len(words) or most < SURE or most < AHEAD * second:
        return "Latin" if known or len(words) >= MANY_WORDS else None
    return max(scores, key=lambda one: scores[one])


def _names(head: str) -> bool:
    """Return whether most words begin with a capital letter, as names and titles do."""
    words: list[str] = WORD.findall(head)
    return sum(word[0].isupper() for word in words) * 2 > len(words)


def differ(asked: str, answered: str) -> bool:
    """Return whether two results of `language_of` are surely of two languages."""
    if asked == answered or {asked, answered} == {"Japanese", "Han"}:
        return False
    if "Latin" in (asked, answered):  # it may be any of them
        return not {asked, answered} <= {"Latin", *FUNCTION_WORDS}
    return True
