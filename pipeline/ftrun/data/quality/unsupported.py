"""Numbers, names and addresses in answers that nothing in their prompts supports.

A detail that is in one answer only can't be learned as a fact; the model learns to make up such details.
What is predicted, calculated or known in general is not among them, so only what somebody must have looked
up counts: addresses, numbers of parcels and accounts, and people who are spoken of by their title.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from ftrun.data.quality.corpus import SampledExample, SampleFaults, other_places, share
from ftrun.data.quality.pii import excerpt
from ftrun.protocol.faults import Fault

ADDRESS = re.compile(r"(?:https?://|www\.)[^\s<>\"'」』）)\]、。]+", re.ASCII)
CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
# no amount: neither separators nor decimals, no currency before it, no unit behind it
NUMBER = re.compile(
    r"(?<![\w.,:/$€£¥￥₹₩=+*^-])(?:[A-Z]{1,4}-?)?\d{5,}(?![\d,.]*\d)(?![%％°℃]|\s?(?:円|元|万|千|億|원|人|個|km|kg|m\b|USD|EUR|JPY))"
)
NAME = re.compile(
    r"\b(?:Mr|Mrs|Ms|Herr|Frau|Señora?|Monsieur|Madame|Signora?)\.? [A-Z][a-zà-ÿ]+(?: [A-Z][a-zà-ÿ]+)?"
    r"|[一-龥]{2,4}(?:さん|様|氏|部長|課長|社長)"
)
NOBODY = re.compile(
    "(?:お|皆|奥|神|王|客|患者|相手|家族|友達|同僚|上司|医者|親|子|娘|息子|爺|婆|兄|姉|弟|妹|担当|責任者|専門家"
    "|会員|利用者|店員|社員|先方|御社|各位|業者|会社|取引先|当社|弊社|学生|先輩|後輩|本人|女性|男性|新郎|新婦|殿|仏|同|多|模|仕|有)"
)
ASKED_ADDRESS = re.compile(
    r"https?:|www\.|\b(?:url|link|links|website|web site|site|homepage|page|address|sources?|references?|cite"
    r"|documentation|docs)\b|リンク|サイト|ホームページ|出典|アドレス|链接|网址|网站|링크|사이트|ссылк|сайт|enlace|lien|página",
    re.IGNORECASE,
)
INVENTED = re.compile(
    r"(?:https?://|www\.)(?:[\w-]+\.)*(?:example\.(?:com|org|net)|localhost|127\.0\.0\.1)\b"
)
DIGIT, DIGITS = re.compile(r"\d"), re.compile(r"[\d.,]+")
IDENTIFIER, ONE_FRAME = 7, 0.5  # characters, and the share of answers that are alike but for digits
LOOKED_AT = 4000  # characters of an answer
FEWEST = 5  # rows
AROUND = 0.8  # share of an answer from which on a detail is all of it


def unsupported(sample: Sequence[SampledExample]) -> SampleFaults:
    """Yield a fault for each kind of detail if many answers have some that no other answer has."""
    for words, details_of, usual in DETAILS:
        by_row = [(one, set(details_of(one))) for one in sample]
        times = Counter(detail for _, details in by_row for detail in details)
        unique = ((row, sorted(one for one in details if times[one] == 1)) for row, details in by_row)
        found = [(row, details) for row, details in unique if details]
        if len(found) >= max(FEWEST, usual * len(sample)) and not _is_predicted(found):
            rows, details = [one for one, _ in found], found[0][1]
            message = (
                f"{share(len(found), len(sample))} answers have {words} that their prompts do not: "
                f"{excerpt(details[0])}{other_places(rows)}"
            )
            yield rows, Fault("unsupported", message)


def _is_predicted(found: Sequence[tuple[SampledExample, list[str]]]) -> bool:
    """Return whether the details are amounts in one frame (Price: …), which are what is to be predicted."""
    if any(len(detail) >= IDENTIFIER for _, details in found for detail in details):
        return False
    frames = Counter(DIGITS.sub("", row.turn.answer) for row, _ in found)
    return frames.most_common(1)[0][1] >= ONE_FRAME * len(found)


def _said(one: SampledExample) -> str:
    """Return an answer without its code."""
    return CODE.sub("", one.turn.answer[:LOOKED_AT])


def _addresses(one: SampledExample) -> Iterator[str]:
    prompt = one.turn.prompt
    if ("http" not in one.turn.answer and "www." not in one.turn.answer) or ASKED_ADDRESS.search(
        one.turn.question
    ):
        return
    for found in ADDRESS.findall(_said(one)):
        if found not in prompt and not INVENTED.match(found) and not _is_all(found, one):
            yield found


def _numbers(one: SampledExample) -> Iterator[str]:
    """Yield numbers of things; none where the question has one, of which they may be the result."""
    if not DIGIT.search(one.turn.answer) or DIGIT.search(one.turn.question):
        return
    for found in NUMBER.findall(ADDRESS.sub("", _said(one))):
        if found not in one.turn.prompt and found.strip("0")[3:] and not _is_all(found, one):
            yield found


def _names(one: SampledExample) -> Iterator[str]:
    prompt = one.turn.prompt.casefold()
    for name in NAME.findall(_said(one)):
        if not NOBODY.search(name) and name.casefold() not in prompt:
            yield name


def _is_all(detail: str, one: SampledExample) -> bool:
    """Return whether a detail is the answer itself, which is then what is to be learned."""
    return len(detail) >= AROUND * len(one.turn.answer.strip())


# kinds of details, and the share of answers up to which they are usual
DETAILS: tuple[tuple[str, Callable[[SampledExample], Iterator[str]], float], ...] = (
    ("addresses", _addresses, 0.1),
    ("numbers", _numbers, 0.1),
    ("names", _names, 0.2),
)
