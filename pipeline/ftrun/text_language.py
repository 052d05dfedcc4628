"""Recognise the language of texts: by script and, where several languages share one, by common words and
letters. Says nothing when unsure: short texts, names and code are of no language.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import NamedTuple

LANGUAGE_NAMES: Mapping[str, str] = {
    **{"ar": "Arabic", "am": "Amharic", "bg": "Bulgarian", "bn": "Bengali", "ca": "Catalan", "cs": "Czech"},
    **{"da": "Danish", "de": "German", "el": "Greek", "en": "English", "es": "Spanish", "et": "Estonian"},
    **{"fa": "Persian", "fi": "Finnish", "fr": "French", "gu": "Gujarati", "he": "Hebrew", "hi": "Hindi"},
    **{"hr": "Croatian", "hu": "Hungarian", "hy": "Armenian", "id": "Indonesian", "it": "Italian"},
    **{"ja": "Japanese", "ka": "Georgian", "km": "Khmer", "kn": "Kannada", "ko": "Korean", "lo": "Lao"},
    **{"lt": "Lithuanian", "lv": "Latvian", "ml": "Malayalam", "mr": "Marathi", "my": "Burmese"},
    **{"nl": "Dutch", "no": "Norwegian", "pa": "Punjabi", "pl": "Polish", "pt": "Portuguese"},
    **{"ro": "Romanian", "ru": "Russian", "si": "Sinhala", "sk": "Slovak", "sl": "Slovenian"},
    **{"sr": "Serbian", "sv": "Swedish", "sw": "Swahili", "ta": "Tamil", "te": "Telugu", "th": "Thai"},
    **{"tl": "Filipino", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese"},
    "zh": "Chinese",
}
# scripts that (nearly) one living language is written in
SCRIPTS: Mapping[str, str] = {
    **{"ja": "\u3041-\u3096\u30a1-\u30fa\uff66-\uff9d", "ko": "\uac00-\ud7a3\u1100-\u11ff\u3131-\u318e"},
    **{"he": "\u05d0-\u05ea", "el": "\u0370-\u03ff\u1f00-\u1fff", "th": "\u0e01-\u0e4e"},
    **{"bn": "\u0980-\u09ff", "pa": "\u0a00-\u0a7f", "gu": "\u0a80-\u0aff", "ta": "\u0b80-\u0bff"},
    **{"te": "\u0c00-\u0c7f", "kn": "\u0c80-\u0cff", "ml": "\u0d00-\u0d7f", "si": "\u0d80-\u0dff"},
    **{"lo": "\u0e80-\u0eff", "my": "\u1000-\u109f", "ka": "\u10a0-\u10ff", "am": "\u1200-\u137f"},
    **{"km": "\u1780-\u17ff", "hy": "\u0530-\u058f", "zh": "\u4e00-\u9fff\u3400-\u4dbf"},
}
# scripts of several languages: the letters, and the language of a text without any common word of them
SHARED: Mapping[str, tuple[str, str | None]] = {
    "Latin": ("A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff", None),
    "Cyrillic": ("\u0400-\u04ff", "ru"),
    "Arabic": ("\u0620-\u064a\u066e-\u06d3", "ar"),
    "Devanagari": ("\u0900-\u097f", "hi"),
}
WORDS: Mapping[str, Mapping[str, str]] = {
    "Latin": {
        "en": "the of and to in is you that it for on are with as they be at this have from or by not what "
        "all were we when your can there an which how if will about do then them would like so could "
        "please who where why does my our should i was has its may it's don't",
        "es": "de la que el en y a los se del las un por con no una su para es al lo como más pero sus le ya "
        "o porque esta sí qué cómo dónde cuándo puedo hay está mi muy también hasta desde cuál hola usted "
        "tiene puede son este tengo abre horas gracias",
        "pt": "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao ele "
        "das à seu sua ou quando muito nos já eu também só pelo pela até isso ela entre você qual onde posso "
        "está são tem meu minha obrigado olá fica abre às",
        "fr": "de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se ce il sont "
        "avec vous nous je à comment quel quelle où quand puis mon votre oui ou mais c'est peut être elle "
        "cette aux bonjour merci faut",
        "it": "di e il la che in un a per è una sono con non le si da come i del della nel alla più anche ma "
        "dei gli lo al mi ho dove quando posso qual quale questo se può ci delle essere cosa perché quanto "
        "buongiorno grazie devo vostro alle dalle",
        "de": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an "
        "werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über wir ich wo wann kann "
        "was ihr bitte oder mein meine haben uns zum zur sie man",
        "nl": "de en van het een in is dat op te zijn voor met die niet aan er om ook als dan maar bij wordt "
        "door uit nog naar heb hoe waar wanneer kan ik je u wij mijn uw deze dit wat geen wel bent kunt "
        "hebben graag onze",
        "sv": "och i att det som en på är av för med till den har de inte om ett men var jag hur när vad "
        "kan du vi från så ska här din min eller är finns måste vill",
        "da": "og i at det er en til af på for med den der de ikke som et har om jeg hvor hvordan hvornår "
        "kan du vi fra så skal her din min eller være hvad ud når mit også blev efter",
        "no": "og i å det er en til av på for med den der de ikke som et har om jeg hvor hvordan når kan du "
        "vi fra så skal her din min eller være hva deg meg etter ble også bare",
        "fi": "ja on ei se että hän oli ovat mutta kun niin tai myös jos voi mitä missä milloin miten minun "
        "sen olen sinun ole kuin joka ne tämä kanssa sitten kyllä voin mikä pitää ennen jälkeen",
        "pl": "i w na z do nie się to że jest o jak po co za od czy ale dla są tak jego może gdzie kiedy "
        "mogę przez jestem być oraz tylko pan pani można które który już był ile mam proszę mój moje",
        "cs": "a v na se je to že s z do o i jak k ale pro jsem by za po jste kde kdy co mohu nebo může jsou "
        "při od není tak které který už bylo jaký kolik můj prosím být lze až dobrý",
        "sk": "a v na sa je to že s z do o aj ako k ale pre som by za po ste kde kedy čo môžem alebo môže sú "
        "pri od nie tak ktoré ktorý už bolo aký koľko môj prosím byť ak keď dobrý",
        "sl": "in v na se je da za s z o kot pa ne so ki kje kdaj kako lahko ali sem si bi tudi po od do pri "
        "kaj če moj vaš samo biti kateri prosim dober",
        "hr": "i u na se je da za s od o kao ne su što koji gdje kada kako mogu ili sam si bi također po do "
        "ali samo moj vaš može ako biti nije molim dobar koja jeste",
        "hu": "a az és hogy nem is egy ez van volt meg csak de mint már el ha vagy hol mikor hogyan lehet "
        "kell én ön mi ki fel még minden nagyon között után igen milyen szeretnék kérem",
        "ro": "și în de la cu nu un o pe care este că din mai se pentru sunt ce a fi prin al dar sau unde "
        "când cum pot eu dumneavoastră va fost ale lui după până dacă este am să aveți vă",
        "tr": "ve bir bu da de için ile ne çok daha mi mı mu mü var yok gibi ama en kadar sonra olarak "
        "nerede nasıl zaman ben siz değil olan her ya veya evet hayır olur misiniz istiyorum lütfen kaç "
        "hangi saat saatte açılır",
        "id": "yang dan di itu dengan untuk tidak ini dari dalam akan pada juga saya ke karena ada mereka "
        "apa bisa bagaimana kapan di mana atau anda kami sudah dapat adalah oleh jam berapa apakah silakan "
        "kita lebih hanya pukul setiap tolong terima kasih",
        "vi": "và của là có không được cho một các trong với những người này đã từ khi để tôi bạn thì ở đâu "
        "nào như về sẽ cũng ra vào nếu còn mở lúc giờ làm thế hay hoặc xin vui lòng",
        "ca": "de la que el i en a els es del les un per amb no una seu és al com més però les ja o perquè "
        "aquest sí què on quan puc hi ha està meu molt també fins des quin hola vostè té pot són "
        "aquesta obre hores gràcies dels dia",
        "et": "ja on ei see et ta oli aga kui siis või ka nii mis kus millal kuidas ma minu sa oma ole saab "
        "seda veel pärast kas mida teie tuleb palun enne meie kell",
        "lt": "ir yra ne kad tai į iš su bet kaip ar kur kada aš jūs mano per po dar jei buvo už iki nuo "
        "taip gali ką apie kuris prašom reikia galima",
        "lv": "un ir ne ka tas uz no ar bet kā vai kur kad es jūs mans par pēc vēl ja bija pie līdz var kas "
        "šis kurš lūdzu jā vajag lai savu tiek",
        "tl": "ang ng sa na at mga ay ko ito po hindi para may ka siya kung saan kailan paano ano ako ikaw "
        "lang din pa nang maaari kayo namin oo opo rin ba mo",
        "sw": "na ya wa kwa ni katika za la hii kuwa si au kama lini wapi je yangu yako hapa sana lakini "
        "pia baada hiyo kutoka nini gani unaweza naweza habari tafadhali saa ndiyo hapana",
    },
    "Cyrillic": {
        "ru": "и в не на что с по это как а то к у из за от так о же для вы бы но мне или если где когда "
        "есть можно был мы меня только ещё уже до чтобы его её какой сколько да нет вас ваш",
        "uk": "і в не на що з по це як а то до у із за від так про же для ви би але мені або якщо де коли є "
        "можна був ми мене тільки ще вже щоб його її який скільки та ні вас чи ваш",
        "bg": "и в не на че с по това как а то към у от за така о же за вие би но ми или ако къде кога има "
        "може беше ние само още вече да за се са ли е какъв колко нашия",
        "sr": "и у не на да с по то као а од за тако о је су ви би али ми или ако где када има може био само "
        "још већ што који се колико ваш није",
    },
    "Arabic": {
        "ar": "في من على إلى أن هذا هذه التي الذي ما هل كيف متى أين لا نعم كان مع عن أو كل بعد قبل يمكن "
        "لم ثم هو هي كم يوم",
        "fa": "در از به که این را با است برای آن و چه آیا چگونه کجا یک هم می شود باید تا یا بعد ما شما من "
        "کی چند بله خیر هستند کنید",
        "ur": "میں سے کے کی کا ہے کو اور پر نے کیا یہ ہیں کہ نہیں آپ کب کہاں کیسے بھی تو ہو ایک جی ہاں",
    },
    "Devanagari": {
        "hi": "के का में की है और से को पर यह कि हैं नहीं क्या कब कहाँ कैसे भी आप हो एक जी हाँ मैं मेरा",
        "mr": "आणि आहे या च्या आणि केव्हा मध्ये ते हे का नाही काय केव्हा कुठे कसे मी तुम्ही आहेत होते एक किती",
    },
}
# letters that few languages of a script have
LETTERS: Mapping[str, str] = {
    **{"es": "ñ¿¡", "pt": "ãõ", "fr": "œêèùû", "de": "ßäöü", "sv": "åäö", "da": "æøå", "no": "æøå"},
    **{
        "fi": "äö",
        "et": "õäü",
        "pl": "łżźćńśęą",
        "cs": "řěůčšžý",
        "sk": "ľĺŕôäťď",
        "sl": "čšž",
        "hr": "đćčšž",
    },
    **{"hu": "őűöüáé", "ro": "șțăşţâ", "tr": "ığşçöü", "ca": "·çïò", "lt": "ėųūįąęčšž", "lv": "āēīūģķļņšž"},
    **{"vi": "ạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹăđơư", "it": "ìòàè"},
    **{"ru": "ыэё", "uk": "іїєґ", "bg": "ъщ", "sr": "јљњћђџ"},
    **{"fa": "پچژگک", "ur": "ٹڈڑںے", "mr": "ळ"},
}
LATIN_LETTERS = re.compile(f"[{SHARED['Latin'][0]}]")
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?", re.UNICODE)
# what is no text in a language: addresses, code, keys, names in a path, markup, templates
NO_TEXT = re.compile(
    r"```.*?(?:```|\Z)|`[^`]*`|https?://\S+|\S+@\S+|<[^>]{0,200}>|\{[^}]{0,200}\}", re.DOTALL
)
LOOKED_AT = 600  # characters of one text
MOST_TEXTS = 400
KANA_SHARE = 0.03  # of Han letters and kana: less than that is Chinese that quotes Japanese
FEWEST_HITS, HIT_SHARE = 1.6, 0.1  # common words, weighted; of all words
LEAD = 1.15  # over the next language
ALIKE = ({"da", "no"}, {"cs", "sk"}, {"hr", "sl"}, {"ru", "uk", "bg", "sr"})  # no lead is asked for
LETTER_WEIGHT = 0.5
# of a letter: Han letters and syllables say more; Latin ones that form no common words are names and terms
WEIGHTS: Mapping[str, float] = {"zh": 2.0, "ja": 2.0, "ko": 2.0}
TERMS = 0.2


class _Tables(NamedTuple):
    words: dict[str, dict[str, tuple[tuple[str, float], ...]]]
    letters: dict[str, dict[str, tuple[tuple[str, float], ...]]]
    scripts: tuple[tuple[str, re.Pattern[str]], ...]


_tables: list[_Tables] = []


def language_of(text: str) -> str | None:
    """Return the ISO 639-1 code of a text's language, None if it is not clear."""
    return main_language((text,))


def main_language(texts: Iterable[str]) -> str | None:
    """Return the ISO 639-1 code of the language that most of the texts are in, None if it is not clear.

    At most 400 texts are read, and 600 characters of each.
    """
    scripts, found, words = Counter[str](), Counter[str](), Counter[str]()
    for text in islice(texts, MOST_TEXTS):
        _count(NO_TEXT.sub(" ", text[:LOOKED_AT]), scripts, found, words)
    if not scripts:
        return None
    han, kana = scripts["zh"], scripts["ja"]
    if kana and kana >= KANA_SHARE * (han + kana):
        scripts["ja"] += han
        del scripts["zh"]
    weights = {script: number * WEIGHTS.get(script, 1.0) for script, number in scripts.items()}
    if "Latin" in weights and not _is_prose("Latin", found, words):
        weights["Latin"] *= TERMS
    script = max(weights, key=lambda one: weights[one])
    if script not in SHARED:
        return script if scripts[script] > 1 else None
    return _of_a_shared_script(script, found, prose=_is_prose(script, found, words))


def _is_prose(script: str, found: Counter[str], words: Counter[str]) -> bool:
    """Return whether the words of a script are a text in one of its languages, not names and terms alone."""
    best = max(found[language] for language in WORDS[script])
    return best >= FEWEST_HITS and best >= HIT_SHARE * words[script]


def _count(text: str, scripts: Counter[str], found: Counter[str], words: Counter[str]) -> None:
    """Add a text's letters by script, the evidence for each language, and its words by script."""
    tables = _loaded()
    for script, pattern in tables.scripts[:1] if text.isascii() else tables.scripts:
        letters = len(pattern.findall(text))
        if not letters:
            continue
        scripts[script] += letters
        if script not in SHARED:
            continue
        known, marks = tables.words[script], tables.letters[script]
        mine = [word for word in WORD.findall(text.lower()) if pattern.match(word)]
        words[script] += len(mine)
        for word in mine:
            for language, weight in known.get(word, ()):
                found[language] += weight  # type: ignore[assignment]
        for letter in text.lower() if not text.isascii() else ():
            for language, weight in marks.get(letter, ()):
                found[language] += weight  # type: ignore[assignment]


def _of_a_shared_script(script: str, found: Counter[str], *, prose: bool) -> str | None:
    usual = SHARED[script][1]
    ranked = sorted(((found[one], one) for one in WORDS[script]), reverse=True)
    (best, language), (second, other) = ranked[0], ranked[1]
    leads = best >= LEAD * second or any({language, other} <= alike for alike in ALIKE)
    return language if prose and leads else usual


def _loaded() -> _Tables:
    if not _tables:
        shares = {
            script: _shared_out({one: text.split() for one, text in lists.items()}, 1.0)
            for script, lists in WORDS.items()
        }
        letters = {
            script: _shared_out({one: LETTERS.get(one, "") for one in lists}, LETTER_WEIGHT)
            for script, lists in WORDS.items()
        }
        ranges = {**{name: letters for name, (letters, _) in SHARED.items()}, **SCRIPTS}
        scripts = tuple((name, re.compile(f"[{letters}]")) for name, letters in ranges.items())
        _tables.append(_Tables(shares, letters, scripts))
    return _tables[0]


def _shared_out(
    lists: Mapping[str, Iterable[str]], weight: float
) -> dict[str, tuple[tuple[str, float], ...]]:
    """Return what each word or letter says for each language: the fewer share it, the more."""
    owners: dict[str, list[str]] = {}
    for language, words in lists.items():
        for word in dict.fromkeys(words):
            owners.setdefault(word, []).append(language)
    return {word: tuple((one, weight / len(by) ** 0.5) for one in by) for word, by in owners.items()}
