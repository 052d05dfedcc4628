"""The chat that WhatsApp exports as text: date and time as the phone writes them, then name and text."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator, Sequence

from ftrun.data.readers.exports.clock import TIME, days_of, time_of
from ftrun.data.readers.exports.turns import Said

DATE = r"\d{1,4}\s?[./-]\s?\d{1,2}\s?[./-]\s?\d{1,4}\.?"
BETWEEN = r"(?:[,،]?\s+(?:(?:à|um|klo?|kl\.|at|às|alle|o)\s)?)"
START = re.compile(
    rf"[\ufeff\u200e\u200f]*(?:\[(?P<day>{DATE}){BETWEEN}(?P<time>{TIME})\]"
    rf"|(?P<day2>{DATE}){BETWEEN}(?P<time2>{TIME})(?: Uhr| h)? [-–])\s(?P<rest>.*)",
    re.DOTALL,
)
MARKS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
LONGEST_NAME = 60  # characters; what is longer is a line of the service itself
MEDIA = re.compile(
    r"<[^<>\n]{2,60}>"  # <Media omitted>, <Medien ausgeschlossen>, <attached: 1.jpg>
    r"|\S.{0,80}\.(?:jpe?g|png|webp|gif|mp4|3gp|opus|ogg|m4a|aac|mp3|pdf|vcf|docx?|xlsx?|pptx?|zip)"
    r" \([^)\n]+\)"
    r"|(?:image|video|audio|sticker|GIF|document|Contact card) omitted"
    r"|(?:Bild|Video|Audio|Sticker|GIF|Dokument|Kontaktkarte) weggelassen"
    r"|(?:imagen|video|audio|sticker|documento|GIF) omitid[oa]"
    r"|null",
    re.IGNORECASE,
)
DELETED = re.compile(
    r"(?:You deleted this message|This message was deleted|Diese Nachricht wurde gelöscht|"
    r"Du hast diese Nachricht gelöscht|Se eliminó este mensaje|Eliminaste este mensaje|Mensagem apagada|"
    r"Essa mensagem foi apagada|Você apagou esta mensagem|Ce message a été supprimé|"
    r"Vous avez supprimé ce message|"
    r"Questo messaggio è stato eliminato|Hai eliminato questo messaggio|Dit bericht is verwijderd|"
    r"U hebt dit bericht verwijderd|このメッセージは削除されました|メッセージを削除しました|"
    r"Данное сообщение удалено|"
    r"Вы удалили данное сообщение|Bu mesaj silindi|Missed (?:voice|video|group)[\w ]* call|"
    r"Verpasster (?:Sprach|Video)anruf|Llamada perdida.*|Videollamada perdida.*)[.。]?"
)
EDITED = re.compile(r"\s*<[^<>]*(?:edit|bearbeit|modifi|編集|編輯|изменен)[^<>]*>$", re.IGNORECASE)


def is_whatsapp(lines: Sequence[str]) -> bool:
    """Return whether a file that begins with these lines is one that WhatsApp exported."""
    some = [line for line in lines if line.strip()]
    starts = [found for line in some if (found := START.match(line))]
    spoken = [found for found in starts if ": " in found["rest"]]
    return bool(some) and START.match(some[0]) is not None and len(spoken) > 1


def read_whatsapp(lines: Iterable[str]) -> Iterator[Said | None]:
    """Yield the messages, and None for each that has no text and each line of the service itself."""
    entries = list(_entries(lines))
    days = days_of([day for _, day, *_ in entries]) if entries else []
    for (line, _, time, rest), day in zip(entries, days, strict=True):
        speaker, colon, text = rest.partition(": ")
        clock = time_of(time)
        own = not colon or "\n" in speaker or len(speaker) > LONGEST_NAME
        if own or day is None or clock is None or text.startswith("\u200e"):
            yield None
            continue
        text = EDITED.sub("", MARKS.sub("", text)).strip()
        if not text or MEDIA.fullmatch(text) or DELETED.fullmatch(text):
            yield None
        else:
            name = MARKS.sub("", speaker).strip().removeprefix("~").strip("\u00a0\u202f ")
            yield Said(line, datetime.datetime.combine(day, clock), name, text)


def _entries(lines: Iterable[str]) -> Iterator[tuple[int, str, str, str]]:
    """Yield line, day, time and the rest of each message, with its further lines."""
    entry: tuple[int, str, str, str] | None = None
    for number, raw in enumerate(lines, 1):
        line = raw.rstrip("\r\n")
        found = START.fullmatch(line)
        if found:
            if entry:
                yield entry
            entry = (number, found["day"] or found["day2"], found["time"] or found["time2"], found["rest"])
        elif entry:
            entry = (*entry[:3], f"{entry[3]}\n{line}")
    if entry:
        yield entry
