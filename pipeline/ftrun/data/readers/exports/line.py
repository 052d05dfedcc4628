"""The chat history that LINE saves as text: a line for each day, then time, name and text of each message."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator, Sequence

from ftrun.data.readers.exports.clock import TIME, days_of, time_of
from ftrun.data.readers.exports.turns import Said

HEAD = re.compile(r"\ufeff?\[LINE\]")
DAY = re.compile(
    r"\ufeff?(?:[^\W\d]\S{0,12}\s+)?(\d{1,4}[/.-]\s?\d{1,2}[/.-]\s?\d{1,4}\.?)\s*(?:[(（]\w{1,4}[)）]|\w{2,12}|\w曜日)?\s*"
)
MESSAGE = re.compile(rf"({TIME})\t(.*)", re.DOTALL)
SPACED = re.compile(rf"({TIME}) (\S+) (.+)", re.DOTALL)  # as the program for computers saves it
CALL = "☎"
WITHOUT_TEXT = re.compile(
    r"\[(?:スタンプ|写真|動画|ボイスメッセージ|ファイル|連絡先|位置情報|アルバム|ノート|画像|音声"
    r"|Stickers?|Photos?|Videos?|Voice message|Files?|Contact(?: info)?|Location|Albums?|Notes?|Image|Audio"
    r"|貼圖|照片|影片|檔案|聯絡資訊|位置訊息|相簿|記事本|語音訊息|贴图|图片|视频|文件"
    r"|스티커|사진|동영상|파일|연락처|위치정보|음성메시지|สติกเกอร์|รูป|วิดีโอ|ไฟล์)\]"
)
UNSENT = re.compile(r"メッセージの送信を取り消しました|unsent a message|已收回訊息|메시지를 취소했습니다")


def is_line(lines: Sequence[str]) -> bool:
    """Return whether a file that begins with these lines is one that LINE saved."""
    some = [line.rstrip("\r\n") for line in lines if line.strip()]
    if some and HEAD.match(some[0]):
        return True
    if len(some) > 1 and DAY.fullmatch(some[0]) and SPACED.fullmatch(some[1]):
        return True
    days = [index for index, line in enumerate(some[:20]) if DAY.fullmatch(line)]
    after = (some[index + 1] for index in days if index + 1 < len(some))
    return any((found := MESSAGE.fullmatch(line)) and "\t" in found[2] for line in after)


def read_line(lines: Iterable[str]) -> Iterator[Said | None]:
    """Yield the messages, and None for each that has no text."""
    entries = list(_entries(lines))
    days = days_of([day for day, *_ in entries]) if entries else []
    for (_, line, time, rest), day in zip(entries, days, strict=True):
        speaker, _, text = rest.partition("\t")
        clock = time_of(time)
        if day is None or clock is None or not speaker or not text or _is_left_out(text):
            yield None
        else:
            yield Said(line, datetime.datetime.combine(day, clock), speaker.strip(), _unquoted(text))


def _entries(lines: Iterable[str]) -> Iterator[tuple[str, int, str, str]]:
    """Yield day, line, time and the rest of each message, with its further lines."""
    day, entry = "", None
    for number, raw in enumerate(lines, 1):
        line = raw.rstrip("\r\n")
        found = MESSAGE.fullmatch(line)
        spaced = SPACED.fullmatch(line) if found is None and "\t" not in line else None
        if found or (spaced and day):
            if entry:
                yield entry
            rest = found[2] if found else f"{spaced[2]}\t{spaced[3]}" if spaced else ""
            entry = (day, number, (found or spaced or [""])[1], rest)
        elif starts := DAY.fullmatch(line):
            if entry:
                yield entry
            day, entry = starts[1], None
        elif entry:
            entry = (*entry[:3], f"{entry[3]}\n{line}")
    if entry:
        yield entry


def _unquoted(text: str) -> str:
    """Return a text of several lines without the quotes that it is saved in."""
    text = text.strip()
    if "\n" in text and text.startswith('"') and text.endswith('"'):
        return text[1:-1].replace('""', '"').strip()
    return text


def _is_left_out(text: str) -> bool:
    plain = text.strip()
    left_out = WITHOUT_TEXT.fullmatch(plain) or plain.startswith(CALL) or UNSENT.search(plain)
    return not plain or bool(left_out)
