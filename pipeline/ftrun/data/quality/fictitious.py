# ruff: noqa: E501 - words of many languages, those of one kind in a line
"""What is nobody's: addresses, numbers and keys of examples, templates and manuals, and numbers of things.

A mask replaces them as well, so that it gives the same files as ever; but nobody needs to be warned of them.
"""

from __future__ import annotations

import re

from ftrun.data.quality.personal_data import HALF, SensitiveSpan

RESERVED = re.compile(
    r"(?:^|\.)(?:example|exemple|ejemplo|exemplo|beispiel|esempio|invalid|test|localhost|localdomain|local)"  # codespell:ignore exemple
    r"(?:\.[a-z]{2,3}){0,2}$"
    r"|(?:^|\.)no-?reply\.|(?:^|\.)(?:(?:your|my|the|some|any)?-?(?:company|domain|e?mail|website|site|organi[sz]ation|org|school|server|host)"
    r"|yourcompanyname|companyname|acme|foo|bar|foobar|xyz|abc|xxx+|somewhere|someplace|dominio|empresa|firma|entreprise)"
    r"\.[a-z.]{2,6}$"
)
PROVIDER = re.compile(
    r"mail\.(?:ru|de|bg|ee|ua|kz|by|pt)|email\.(?:it|cz|de|ua)"
)  # where people have mailboxes
TEMPLATE_NAME = re.compile(
    r"(?:no|do-?not|dont)[-_.]?reply.*|mailer-daemon|git|user(?:name)?\d?|your[-_.]?.*|my[-_.]?(?:e?mail|name|address)"
    r"|(?:first|last|full)?[-_.]?name(?:[-_.](?:last|sur)?name)?|firstname\.lastname|vorname\.nachname|prenom\.nom"
    r"|nombre(?:\.apellido)?|seunome|tucorreo|usuario|x{2,}|foo|bar|foobar|test|someone|somebody|me|you|e?mail|address"
)
FILE_OR_PACKAGE = re.compile(
    r"^\dx\.|\.(?:png|jpe?g|gif|svg|webp|js|css|ts|json|md|py|beta|alpha|latest|next|canary)$"
)
BEFORE_A_HOST = re.compile(
    r"(?:\b(?:ssh|scp|sftp|rsync|mosh|ssh-copy-id|npm|npx|yarn|pnpm)\b[^\n]{0,40}|://\S{0,40}|@)\Z"
)
# cards of the manuals of payment services
TEST_CARDS = re.compile(
    "4242424242424242|4000056655665556|4000000000000\\d{3}|4111111111111111|4012888888881881|4222222222222"
    "|5555555555554444|5105105105105100|2223003122003222|2223000048400011|5200828282828210|378282246310005"
    "|371449635398431|378734493671000|6011111111111117|6011000990139424|30569309025904|38520000023237"
    "|3056930009020004|36227206271667|3530111333300000|3566002020360505|6555900000604105"
)
# numbers that the authorities keep for films and examples: North America, Britain, France; and digits that are not a telephone number
TEST_PHONES = re.compile(
    r"1?[2-9]\d\d555\d{4}|(?:44|0)20794601?\d{3,4}|(?:44|0)7700900\d{3}|(?:44|0)1[1-9]1?\d?4960\d{3}"
    r"|(?:33|0)(?:199|63998|261|353|465|536)\d{4,6}|\d{0,4}0{6,}|(\d)\1{6,}"
)
TEST_POSTCODE = re.compile("1234567|(\\d)\\1{6}")
EXAMPLE_WORD = re.compile(
    "SflKxwRJSMeKKF2QT4|example|sample|dummy|placeholder|changeme|change[-_]me|replace|insert|redacted|hidden|secret|passw|your|here|demo"
    "|test[-_]|fake|foobar|lorem|xxxx|\\*{3}|\\.{3}|<|dein|votre|tu[-_]|seu[-_]|ejemplo|exemplo|beispiel|exemple",  # codespell:ignore exemple
    re.IGNORECASE,
)
CONSTANT = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
REPEATED = re.compile(r"(.{1,10}?)\1{2,}.{0,3}")
FROM_ELSEWHERE = re.compile(
    r"(?:\$\{?\{?|%|<|\{\{|\[\[|os\.environ|getenv\(|process\.env|secrets?\.|vault|var\.|config\[)[\s(\[\"'.]{0,3}\Z"
)
REFERENCE = re.compile(r"(?:process\.env|os\.environ|secrets?|vars?|env|config|settings|self|this|ENV)[.\[(]")
WEAK = frozenset((
    "password", "pass", "passwd", "passwort", "pwd", "pw", "secret", "changeme", "change_me", "example", "postgres",
    "root", "admin", "user", "test", "guest", "mysql", "mypassword", "mysecretpassword", "yourpassword", "qwerty",
    "hunter2", "letmein", "12345", "123456", "12345678", "1234", "motdepasse", "contrasena", "contraseña", "senha",
    "secretpassword", "s3cr3t", "p4ssw0rd", "passw0rd", "p@ssw0rd",
))  # fmt: skip
EXAMPLE_HOST = re.compile(r"@(?:[\w.-]+\.)?example\.(?:com|org|net)")
# words before a number, or in brackets after it, that say it is nobody's: orders, parcels, devices, amounts
OF_A_THING = (
    "注文|受付|伝票|送り状|追跡|荷物|お?問い?合わ?せ番号|会員|顧客|契約|予約|管理|製造|商品|口座|法人|(?<!個人)番号|シリアル|請求|領収"
    "|発注|納品|見積|整理番号|型番|品番|製品|資産|学籍|社員|バ[ー-]コ[ー-]ド|ゆうパック|宅急便|単号|单号|订单|快递|运单|发票|编号"
    "|주문|운송장|송장|접수|일련번호|заказ|посылк|накладн|трек|сч[её]т|номер заявки|طلب|شحن|הזמנה|משלוח|आदेश|पार्सल"
    "|pedido|encomenda|fatura|factura|facture|commande|colis|suivi|env[ií]o|Bestell|Sendung|Rechnung|Auftrag|Paket"  # codespell:ignore paket
    "|Kundennummer|Artikel|Ordine|spedizione"
)
OF_A_THING_ASCII = (
    r"\b(?:id|order|tracking|track|parcel|package|shipment|consignment|invoice|receipt|serial|ticket|case|reference|ref"
    r"|transaction|booking|reservation|account|customer|member|membership|model|part|item|product|sku|ean|jan|upc|gtin|isbn"
    r"|issn|imei|imsi|iccid|meid|barcode|timestamp|epoch|build|version|phone|tel)\b"
)
CALLED_THING = re.compile(
    f"(?:{OF_A_THING}|{OF_A_THING_ASCII})(?:[^\n.!?。！？;]|\\.(?=\\S)|(?<=no)\\.|(?<=nr)\\.){{0,16}}\\Z",
    re.IGNORECASE,
)
THING_BEHIND = re.compile(f"\\A\\s?[（(][^）)\\n]{{0,8}}(?:{OF_A_THING}|{OF_A_THING_ASCII})", re.IGNORECASE)
COUNTED = re.compile(
    "\\A\\s?(?:[個粒円件人年本枚回票通]|バイト|ドル|ユーロ|ウォン|원|元|개|[€$£¥%]|bytes?\\b|euros?\\b)"
)
# HALF makes a long vowel a dash
CALLED_MY_NUMBER = re.compile("マイナンバ[ー-]|個人番号|my ?number|individual number|社会保障", re.IGNORECASE)
CALLED_CARD = re.compile(
    "カ[ー-]ド|(?i:\\bcards?\\b|\\b(?:visa|mastercard|amex|jcb|diners)\\b|karte|carte|tarjeta|cart[ãa]o|карт|信用卡|银行卡|카드)"
)
JAPANESE_TEXT = re.compile("[ぁ-ヶ]")
CALLED, BEHIND = 40, 16  # characters before and after a number that are looked at
SHORTEST_RUN = 3  # letters or digits in the order of the alphabet


def is_fictitious(text: str, span: SensitiveSpan) -> bool:
    """Return whether what was found in a text is an example of its kind, not somebody's."""
    value = text[span.start : span.end]
    if span.kind == "secret":
        return _is_example_secret(text, span, value)
    plain = value.translate(HALF)
    if span.kind == "email":
        return _is_example_email(plain.lower(), text[max(0, span.start - 48) : span.start])
    digits = "".join(one for one in plain if one.isdigit())
    if span.kind in ("card", "my_number"):
        whole = text.translate(HALF)
        before, after = whole[max(0, span.start - CALLED) : span.start], whole[span.end : span.end + BEHIND]
        theirs = _says_card(before, after) if span.kind == "card" else _says_my_number(before, after, whole)
        if not theirs:
            return True
    shapes = {"card": TEST_CARDS, "phone": TEST_PHONES, "postcode": TEST_POSTCODE}
    return span.kind in shapes and shapes[span.kind].fullmatch(digits) is not None


def _is_example_email(address: str, before: str) -> bool:
    name, _, domain = address.partition("@")
    return (
        (RESERVED.search(domain) is not None and PROVIDER.fullmatch(domain) is None)
        or FILE_OR_PACKAGE.search(domain) is not None
        or TEMPLATE_NAME.fullmatch(name) is not None
        or BEFORE_A_HOST.search(before) is not None
    )


def _is_example_secret(text: str, span: SensitiveSpan, value: str) -> bool:
    if span.name == "private key":
        return "..." in value or "…" in value or EXAMPLE_WORD.search(value) is not None
    before = text[max(0, span.start - 40) : span.start]
    if span.name == "password in an address":
        user = before.rpartition("://")[2].rstrip(":")
        host = EXAMPLE_HOST.match(text, span.end) is not None
        return (
            value.lower() in WEAK
            or value == user
            or host
            or value[:1] in "<$%{[*"
            or CONSTANT.fullmatch(value) is not None
        )
    return (
        EXAMPLE_WORD.search(value) is not None
        or CONSTANT.fullmatch(value) is not None
        or REPEATED.fullmatch(value) is not None
        or REFERENCE.match(value) is not None
        or FROM_ELSEWHERE.search(before) is not None
        or _in_order(value) * 2 > len(value)
    )


def _in_order(value: str) -> int:
    """Return how many characters of a value are in runs such as abcdef or 1234, which nobody draws by lot."""
    count, run = 0, 1
    for one, other in zip(value, (*value[1:], ""), strict=True):
        if other and (ord(other) == ord(one) + 1 or one + other in ("90", "za")):
            run += 1
            continue
        count += run if run >= SHORTEST_RUN else 0
        run = 1
    return count


def _is_of_a_thing(before: str, after: str) -> bool:
    """Return whether the words around a number say that it counts or names a thing."""
    behind = THING_BEHIND.match(after) or COUNTED.match(after)
    return behind is not None or CALLED_THING.search(before) is not None


def _says_card(before: str, after: str) -> bool:
    """Return whether a number with the length and the check digit of a card is one."""
    return not _is_of_a_thing(before, after) or CALLED_CARD.search(before) is not None


def _says_my_number(before: str, after: str, text: str) -> bool:
    """Return whether a number with the right check digit, as one of eleven has it, is a person's."""
    if CALLED_MY_NUMBER.search(text):
        return not _is_of_a_thing(before, after) or CALLED_MY_NUMBER.search(before) is not None
    bare = not any(one.isalpha() for one in text)
    return not _is_of_a_thing(before, after) and (bare or JAPANESE_TEXT.search(text) is not None)
