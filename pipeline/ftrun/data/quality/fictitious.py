"""Data that is nobody's: addresses, numbers and keys of examples, templates and manuals.

A mask replaces them as well, since a token does no harm there; but nobody needs to be warned of them.
"""

from __future__ import annotations

import re

from ftrun.data.quality.personal_data import HALF, SensitiveSpan

RESERVED = re.compile(
    r"(?:^|\.)(?:example|exemple|ejemplo|exemplo|beispiel|esempio|invalid|test|localhost|localdomain|local)"
    r"(?:\.[a-z]{2,3}){0,2}$"
    r"|(?:^|\.)(?:(?:your|my|the|some|any)?-?(?:company|domain|e?mail|website|site|organi[sz]ation|org|school|server|host)"
    r"|yourcompanyname|companyname|acme|foo|bar|foobar|xyz|abc|xxx+|somewhere|someplace|dominio|empresa|firma|entreprise)"
    r"\.[a-z.]{2,6}$"
)
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
# numbers that the authorities keep for films and examples: North America, Britain, France; and what is no number
TEST_PHONES = re.compile(
    r"1?[2-9]\d\d555\d{4}|(?:44|0)20794601?\d{3,4}|(?:44|0)7700900\d{3}|(?:44|0)1[1-9]1?\d?4960\d{3}"
    r"|(?:33|0)(?:199|63998|261|353|465|536)\d{4,6}|\d{0,4}0{6,}|(\d)\1{6,}"
)
TEST_POSTCODE = re.compile("1234567|(\\d)\\1{6}")
EXAMPLE_WORD = re.compile(
    "example|sample|dummy|placeholder|changeme|change[-_]me|replace|insert|redacted|hidden|secret|passw|your|here|demo"
    "|test[-_]|fake|foobar|lorem|xxxx|\\*{3}|\\.{3}|<|dein|votre|tu[-_]|seu[-_]|ejemplo|exemplo|beispiel|exemple",
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
SHORTEST_RUN = 4  # letters or digits in the order of the alphabet


def is_fictitious(text: str, span: SensitiveSpan) -> bool:
    """Return whether what was found in a text is an example of its kind, not somebody's."""
    value = text[span.start : span.end]
    if span.kind == "secret":
        return _is_example_secret(text, span, value)
    plain = value.translate(HALF)
    if span.kind == "email":
        return _is_example_email(plain.lower(), text[max(0, span.start - 48) : span.start])
    digits = "".join(one for one in plain if one.isdigit())
    shapes = {"card": TEST_CARDS, "phone": TEST_PHONES, "postcode": TEST_POSTCODE}
    return span.kind in shapes and shapes[span.kind].fullmatch(digits) is not None


def _is_example_email(address: str, before: str) -> bool:
    name, _, domain = address.partition("@")
    return (
        RESERVED.search(domain) is not None
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
    for one, other in zip(value, (*value[1:], "")):
        if other and (ord(other) == ord(one) + 1 or one + other in ("90", "za")):
            run += 1
            continue
        count += run if run >= SHORTEST_RUN else 0
        run = 1
    return count
