"""Languages as text of them looks: letters from frequent to rare, everyday words, and encodings.

What tells the encoding of a file, and the language of its rows. Letters are those beyond ASCII.
"""

from __future__ import annotations

from typing import NamedTuple


class Language(NamedTuple):
    """A language: its code, encodings, letters (frequent first) and everyday words."""

    code: str
    encodings: tuple[str, ...]
    letters: str
    words: frozenset[str]
    latin: bool = False


WESTERN = ("cp1252", "cp850", "mac_roman")
CENTRAL = ("cp1250", "iso8859_2", "cp852")
CYRILLIC = ("cp1251", "koi8_r", "koi8_u", "cp866", "iso8859_5", "mac_cyrillic")


def _latin(code: str, encodings: tuple[str, ...], letters: str, words: str) -> Language:
    return Language(code, encodings, letters, frozenset(words.split()), latin=True)


def _other(code: str, encodings: tuple[str, ...], letters: str, words: str = "") -> Language:
    return Language(code, encodings, letters, frozenset(words.split()))


LANGUAGES = (
    _latin(
        "en",
        WESTERN,
        "éèïêçöüñàáâôóíäå",
        "the is of and to in it you that for are on with be this have from or by not can what how do "
        "we your my "
        "at will if there does which when where would",
    ),
    _latin(
        "fr",
        WESTERN,
        "éèàêçùôâîûëïœüöÿæ",
        "le la les de des du un une et est en que qui dans pour pas sur au vous nous ce il je ne "
        "plus par avec "
        "ou mais sont votre à être cette comment où quel quelle",
    ),
    _latin(
        "es",
        WESTERN,
        "óíáéñúü¿¡ºªç",
        "el la los las de del un una y es en que por para no se con su al lo como más está qué cómo "
        "a mi puedo "
        "son hay dónde cuándo cuál",
    ),
    _latin(
        "pt",
        WESTERN,
        "ãçéáõíóêúâôàüºª",
        "o a os as de do da dos das um uma e é em que por para não se com no na ao como mais são "
        "está você qual "
        "meu onde quando posso",
    ),
    _latin(
        "de",
        WESTERN,
        "üäößÜÄÖéàèê",
        "der die das und ist in zu den von mit sie nicht ein eine auf für im dem des wie ich es bei "
        "auch oder "
        "kann wird was wir wo werden sich haben wann",
    ),
    _latin(
        "it",
        WESTERN,
        "èàùòéìóîÈ",
        "il la le gli di del della e è in che per non un una si con da al come sono nel più o i lo "
        "posso quando "
        "dove mio qual alla",
    ),
    _latin(
        "nl",
        WESTERN,
        "ëéïèöüêóáçàä",
        "de het een en van is in op te dat niet voor met zijn u aan er om ik of hoe wat kan mijn wordt waar",
    ),
    _latin(
        "sv",
        WESTERN,
        "äåöÅÄÖéüà",
        "och att det som en på är av för med den till inte om har kan jag vi ett hur du vad när var min din",
    ),
    _latin(
        "da",
        WESTERN,
        "øåæÅØÆéöäü",
        "og at det som en på er af for med den til ikke om har kan jeg vi et hvordan du hvad når hvor min de",
    ),
    _latin(
        "nb",
        WESTERN,
        "åøæÅØÆéòóäô",
        "og at det som en på er av for med den til ikke om har kan jeg vi et hvordan du hva når hvor min de",
    ),
    _latin(
        "fi",
        WESTERN,
        "äöÄÖåšžé",
        "ja on ei se että en oli hän mutta ovat kun niin tai jos voi mitä missä miten minun sinun "
        "myös milloin",
    ),
    _latin(
        "is", WESTERN, "áíéðóþöúýæÁÞÍÓÖ", "og að í á er sem um til það ekki við með fyrir hvað hvar ég þú en"
    ),
    _latin(
        "ca",
        WESTERN,
        "óàèéíçòúïü·",
        "el la els les de del un una i és en que per no se amb al com més on quan què puc meu",
    ),
    _latin(
        "id",
        WESTERN,
        "éèêëö",
        "yang dan di itu dengan untuk tidak ini dari dalam akan pada apa saya bagaimana",
    ),
    _latin(
        "pl",
        CENTRAL,
        "łęóąśżćźńŁŚŻÓĆ",
        "w i na z do się nie jest to że o jak za po od czy ale dla są co ma przez może oraz gdzie "
        "kiedy która "
        "mój proszę można",
    ),
    _latin(
        "cs",
        CENTRAL,
        "íáéěřýčžšůúňťďóČŽŠŘÚ",
        "a je se v na že to s z do o jsou jak pro za ale by si po co když kde má tak ve kdy můžete "
        "jsem pokud "
        "mohu lze",
    ),
    _latin(
        "sk",
        CENTRAL,
        "áíéúčýžšľťôňóďäŕĺČŽŠ",
        "a je sa v na že to s z do o sú ako pre za ale by si po čo keď kde má tak vo kedy môžete som "
        "ak môžem",
    ),
    _latin(
        "hu",
        CENTRAL,
        "áéöíóőüúűÁÉÖŐ",
        "a az és hogy nem is egy van meg el ha de csak mint volt ki kell fel ez mit hol mikor hogyan vagy be",
    ),
    _latin(
        "ro",
        CENTRAL,
        "ăîâşţÎŞŢ",
        "de la și în nu a cu o pe este să un se că din mai ce care sunt la unde cum am",
    ),
    _latin(
        "hr",
        CENTRAL,
        "čšžćđŠČŽ",
        "je i u na se da za su od s ne što kako do a koji koja bi to ili gdje kada mogu može li biti",
    ),
    _latin(
        "sl",
        CENTRAL,
        "čšžŠČŽćđ",
        "je in v na se da za so od s ne kaj kako do a ki bi to ali kje kdaj lahko ni po z ob",
    ),
    _latin(
        "tr",
        ("cp1254", "iso8859_9", "cp857"),
        "ışüğöçİŞÖÇÜâî",
        "ve bir bu da de için ne ile var mı mi nasıl olarak daha en çok gibi kadar nerede saat değil ya olan",
    ),
    _latin(
        "lt", ("cp1257",), "ėšžųįąčūęŠŽ", "ir yra kad į ar su iš kaip tai nuo už bet kas kur kada apie ne"
    ),
    _latin("lv", ("cp1257",), "āīēšūņļģžčķĀŠ", "un ir uz ar no par ka ko kā bet vai kur kad tas nav es to"),
    _latin("et", ("cp1257", "cp1252"), "äõüöšžÕÜÄ", "ja on ei see et ka kui mis kus või oma ma kuidas saab"),
    _latin(
        "vi",
        ("cp1258",),
        "\u0301\u0300đ\u0323âư\u0309êôơăáạ\u0303Đéíóúýàèìù",
        "và có không cho của là các trong khi làm một",
    ),
    _other("ru", CYRILLIC, "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё"),
    _other("uk", (*CYRILLIC[:1], "koi8_u", *CYRILLIC[4:]), "оанивіертсклдумпязьбгчйхжїцюшєщфґ"),
    _other("bg", CYRILLIC, "аоеитнрсвлкдпмзягъубчжцщйхшфюь"),
    _other("sr", (*CYRILLIC[:1], *CYRILLIC[4:]), "аиоенрстујдквлмпгзбљњчцжшхћђџф"),
    _other("be", (*CYRILLIC[:1], *CYRILLIC[4:]), "анаіеротсклуяыўвдмпгцьзбчйхжшюэфёщ"),
    _other("el", ("cp1253", "iso8859_7", "cp737"), "αοιετνσηυρπκμλςίάόέωγδχήθύφβώξζψϊΐϋΰ"),
    _other("he", ("cp1255", "cp862"), "יוהלאברתשמםנכדחעקפטגסזןצץךף"),
    _other("ar", ("cp1256", "iso8859_6"), "اليمونرتبةعدسفهكقأحجشطصىخإذزثضغئءؤآظًّ"),
    _other("fa", ("cp1256",), "اينردمهوتبشسكگخفزلقعپجحطچصآذغضثظژئءأ"),
    _other("th", ("cp874", "tis_620"), "านรกอเง่้ทยัลมวดส็ตปะคิีหแจพชขใไุูื์ำโึผซถบธศณฐภษฉญฟๆฎฏฑฒฌฆฬฮฝฤ฿๐๑๒๓๔๕๖๗๘๙"),
)
