"""Letters of languages beyond ASCII and their encodings: what tells the encoding of a file."""

from __future__ import annotations

from typing import NamedTuple

from ftrun.langid.tables import COMMON_WORDS, LATIN


class Language(NamedTuple):
    """A language: its code, encodings, letters (frequent first) and, in Latin letters, common words."""

    code: str
    encodings: tuple[str, ...]
    letters: str
    words: frozenset[str]
    latin: bool


WESTERN = ("cp1252", "cp850", "mac_roman")
CENTRAL = ("cp1250", "iso8859_2", "cp852")
CYRILLIC = ("cp1251", "koi8_r", "koi8_u", "cp866", "iso8859_5", "mac_cyrillic")


def _language(code: str, encodings: tuple[str, ...], letters: str) -> Language:
    words = COMMON_WORDS[LATIN.name].get(code)
    return Language(code, encodings, letters, words or frozenset(), latin=words is not None)


LANGUAGES = (
    _language("en", WESTERN, "éèïêçöüñàáâôóíäå"),
    _language("fr", WESTERN, "éèàêçùôâîûëïœüöÿæ"),
    _language("es", WESTERN, "óíáéñúü¿¡ºªç"),
    _language("pt", WESTERN, "ãçéáõíóêúâôàüºª"),
    _language("de", WESTERN, "üäößÜÄÖéàèê"),
    _language("it", WESTERN, "èàùòéìóîÈ"),
    _language("nl", WESTERN, "ëéïèöüêóáçàä"),
    _language("sv", WESTERN, "äåöÅÄÖéüà"),
    _language("da", WESTERN, "øåæÅØÆéöäü"),
    _language("no", WESTERN, "åøæÅØÆéòóäô"),
    _language("fi", WESTERN, "äöÄÖåšžé"),
    _language("is", WESTERN, "áíéðóþöúýæÁÞÍÓÖ"),
    _language("ca", WESTERN, "óàèéíçòúïü·"),
    _language("id", WESTERN, "éèêëö"),
    _language("pl", CENTRAL, "łęóąśżćźńŁŚŻÓĆ"),
    _language("cs", CENTRAL, "íáéěřýčžšůúňťďóČŽŠŘÚ"),
    _language("sk", CENTRAL, "áíéúčýžšľťôňóďäŕĺČŽŠ"),
    _language("hu", CENTRAL, "áéöíóőüúűÁÉÖŐ"),
    _language("ro", CENTRAL, "ăîâşţÎŞŢ"),
    _language("hr", CENTRAL, "čšžćđŠČŽ"),
    _language("sl", CENTRAL, "čšžŠČŽćđ"),
    _language("tr", ("cp1254", "iso8859_9", "cp857"), "ışüğöçİŞÖÇÜâî"),
    _language("lt", ("cp1257",), "ėšžųįąčūęŠŽ"),
    _language("lv", ("cp1257",), "āīēšūņļģžčķĀŠ"),
    _language("et", ("cp1257", "cp1252"), "äõüöšžÕÜÄ"),
    _language(
        "vi",
        ("cp1258",),
        "\u0301\u0300đ\u0323âư\u0309êôơăáạ\u0303Đéíóúýàèìù",
    ),
    _language("ru", CYRILLIC, "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё"),
    _language("uk", (*CYRILLIC[:1], "koi8_u", *CYRILLIC[4:]), "оанивіертсклдумпязьбгчйхжїцюшєщфґ"),
    _language("bg", CYRILLIC, "аоеитнрсвлкдпмзягъубчжцщйхшфюь"),
    _language("sr", (*CYRILLIC[:1], *CYRILLIC[4:]), "аиоенрстујдквлмпгзбљњчцжшхћђџф"),
    _language("be", (*CYRILLIC[:1], *CYRILLIC[4:]), "анаіеротсклуяыўвдмпгцьзбчйхжшюэфёщ"),
    _language("el", ("cp1253", "iso8859_7", "cp737"), "αοιετνσηυρπκμλςίάόέωγδχήθύφβώξζψϊΐϋΰ"),
    _language("he", ("cp1255", "cp862"), "יוהלאברתשמםנכדחעקפטגסזןצץךף"),
    _language("ar", ("cp1256", "iso8859_6"), "اليمونرتبةعدسفهكقأحجشطصىخإذزثضغئءؤآظًّ"),
    _language("fa", ("cp1256",), "اينردمهوتبشسكگخفزلقعپجحطچصآذغضثظژئءأ"),
    _language("th", ("cp874", "tis_620"), "านรกอเง่้ทยัลมวดส็ตปะคิีหแจพชขใไุูื์ำโึผซถบธศณฐภษฉญฟๆฎฏฑฒฌฆฬฮฝฤ฿๐๑๒๓๔๕๖๗๘๙"),
)
