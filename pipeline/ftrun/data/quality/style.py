"""How answers are written: refusals, mixed styles, end marks, languages, widths of digits."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from ftrun.data.quality.corpus import SampledExample, SampleFaults, other_places, share
from ftrun.data.quality.intended import LONGEST_LABEL, is_explained, is_structured
from ftrun.data.quality.pii import excerpt
from ftrun.langid.asked_language import OF_LANGUAGES
from ftrun.langid.single import differ, sure_language
from ftrun.protocol.faults import Fault
from ftrun.scoring.texts.refusals import REFUSAL

FEWEST_REFUSALS, REFUSAL_SHARE = 2, 0.02
TAIL = "[。．.!！?？…〜～♪\\s」』）)]*$"
PARTICLES = "(?:よ|ね|よね|か|が|けど|けれど|な|わ|さ|の)*"
POLITE = re.compile(
    f"(?:です|ます|ました|ません|でした|でしょう|ましょう|ください|下さい|ございます){PARTICLES}{TAIL}"
)
PLAIN = re.compile(
    "(?:である|であった|だった|だろう|(?<![んいりみにび])だ|(?:なら|でき|では|じゃ)ない|なかった|(?:し|れ|い|っ|え|け)た"
    f"|する|している|いる|ある|なる|れる|できる|思う|という|べきだ){PARTICLES}{TAIL}"
)
SHORTEST_PLAIN = 8  # characters of a sentence without its end mark
FEWEST_STYLED, STYLED_SHARE = 3, 0.1
ENDED, BARE = re.compile(r"[。．.!！?？…][」』”\")）]?$"), re.compile(r"[A-Za-zぁ-んァ-ヶ一-龥]$")
SENTENCE = re.compile(r"^(?=.{10})[^\n]*$")
FEWEST_WORDS = 6
FEW_TIMES = 3  # an answer that comes more often, and is short, is a label or a set phrase
OF_STYLES = re.compile(
    "敬語|丁寧語|丁寧に|です・?ます|だ・?である|常体|敬体|口調|文体|活用|タメ口|ため口|くだけた|見出し|要約|書き換え|言い換え"
)
FEWEST_ENDED, ENDED_SHARE = 5, 0.2
FEWEST, RARE = 10, 0.2
WIDE, HALF = re.compile("[０-９]{2,}"), re.compile("[0-9]{2,}")


def refusals(sample: Sequence[SampledExample]) -> SampleFaults:
    """Yield a fault if answers refuse: a few are enough for a model to learn it."""
    found = [one for one in sample if REFUSAL.match(one.turn.answer)]
    if len(found) >= max(FEWEST_REFUSALS, REFUSAL_SHARE * len(sample)):
        message = f"{share(len(found), len(sample))} answers refuse: {excerpt(found[0].turn.answer)}"
        yield found, Fault("refusals", message + other_places(found))


def styles(sample: Sequence[SampledExample]) -> SampleFaults:
    """Yield a fault if some Japanese answers are in です・ます, others in だ・である, unasked."""
    said = [one for one in _said(sample) if not OF_STYLES.search(one.turn.question[-1000:])]
    polite = [one for one in said if POLITE.search(one.turn.answer[-40:])]
    plain = [one for one in said if _is_plain(one.turn.answer)]
    few, many = sorted((polite, plain), key=len)
    if len(few) < max(FEWEST_STYLED, STYLED_SHARE * (len(polite) + len(plain))):
        return
    if not is_explained(few, many) and not is_explained(many, few):
        message = f"{len(polite):,} answers are in です・ます and {len(plain):,} in だ・である: "
        yield few, Fault("style_mix", message + _ends(few[0], many[0]))


def _said(sample: Sequence[SampledExample]) -> list[SampledExample]:
    """Return the examples whose answers are sentences: no labels, lists, JSON or code."""
    times = Counter(one.turn.answer for one in sample)
    return [
        one
        for one in sample
        if not is_structured(one.turn.answer)
        and (times[one.turn.answer] <= FEW_TIMES or len(one.turn.answer) > LONGEST_LABEL)
    ]


def _is_plain(answer: str) -> bool:
    end = answer[-40:]
    if len(end) < SHORTEST_PLAIN and end[-1:] not in "。.!！?？":
        return False  # a word: 走った
    return PLAIN.search(end) is not None and POLITE.search(end) is None  # でした ends with した


def endings(sample: Sequence[SampledExample]) -> SampleFaults:
    """Yield a fault if some answers of one sentence have an end mark and others don't, unasked."""
    one_line = [one for one in _said(sample) if SENTENCE.match(one.turn.answer.strip())]
    ended = [one for one in one_line if ENDED.search(one.turn.answer.strip())]
    bare = [one for one in one_line if _is_unended(one.turn.answer.strip())]
    few, many = sorted((ended, bare), key=len)
    if len(few) < max(FEWEST_ENDED, ENDED_SHARE * (len(ended) + len(bare))):
        return
    if not is_explained(few, many) and not is_explained(many, few):
        message = f"{len(ended):,} answers of one sentence have an end mark and {len(bare):,} don't: "
        yield few, Fault("ending_mix", message + _ends(few[0], many[0]))


def _is_unended(answer: str) -> bool:
    """Return whether an answer is a sentence without its end mark; a phrase (九時まで) needs none."""
    if not BARE.search(answer):
        return False
    if answer.isascii():
        return len(answer.split()) >= FEWEST_WORDS
    return POLITE.search(answer[-40:]) is not None or _is_plain(answer)


def _ends(here: SampledExample, there: SampledExample) -> str:
    answers = (one.turn.answer.strip() for one in (here, there))
    ends = [excerpt(one, len(one) - 8 if len(one) > 20 else 0) for one in answers]
    return f"{ends[0]} here, {ends[1]} at {there.file}:{there.line}"


def languages(sample: Sequence[SampledExample]) -> SampleFaults:
    """Yield a fault if a few answers are in another language than their questions."""
    pairs = [
        (one, asked, answered)
        for one in sample
        if (asked := sure_language(one.turn.question)) and (answered := sure_language(one.turn.answer))
    ]
    others = [
        (one, asked, answered)
        for one, asked, answered in pairs
        if differ(asked, answered) and not OF_LANGUAGES.search(one.turn.prompt[-2000:])
    ]
    if len(pairs) < FEWEST or not 0 < len(others) <= RARE * len(pairs):
        return  # if most are, it is intended
    (first, asked, answered), found = others[0], [one for one, _, _ in others]
    message = (
        f"{len(others):,} of {len(pairs):,} answers are in another language than their questions: "
        f"{asked} {excerpt(first.turn.question)}, {answered} {excerpt(first.turn.answer)}"
    )
    yield found, Fault("language_mix", message + other_places(found))


def widths(sample: Sequence[SampledExample]) -> SampleFaults:
    """Yield a fault if some answers have full-width digits and others have half-width ones."""
    kinds = Counter(width for one in sample if (width := _width(one.turn.answer)))
    if len(kinds) < 2:
        return
    rare = min(kinds, key=lambda one: kinds[one])
    found = [one for one in sample if _width(one.turn.answer) == rare]
    first = found[0].turn.answer
    digits = (WIDE if rare == "full" else HALF).search(first)
    message = (
        f"answers differ: {kinds['full']:,} with full-width digits, {kinds['half']:,} with half-width ones: "
        f"{excerpt(first, digits.start() if digits else 0)}{other_places(found)}"
    )
    yield found, Fault("full_width", message)


def _width(text: str) -> str | None:
    wide, half = WIDE.search(text), HALF.search(text)
    return None if bool(wide) == bool(half) else "full" if wide else "half"


CHECKS = (refusals, styles, endings, languages, widths)
