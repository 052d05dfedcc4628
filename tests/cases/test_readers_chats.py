"""Exports of LINE, WhatsApp, Telegram, Discord and Slack become conversations; all persons are invented."""

from __future__ import annotations

import datetime
import io
import json
from pathlib import Path
from typing import Any

import pytest

from conftest import Ftrun
from ftrun.cli import main
from ftrun.data.diagnostics.findings import FilePlace, Findings
from ftrun.data.readers.exports.turns import Said, turns_of
from ftrun.data.readers.rows import numbered
from ftrun.data.readers.sources import SourceFile
from ftrun.experiment.model import Source
from ftrun.scaffold.reading import reading_of

from .drafts import CASES, drafted, init, refusal

START = datetime.datetime(2025, 10, 28, 9, 30)
ASKS = [f"Do you have size {n}?" for n in range(24)]
TELLS = [f"Yes, size {n} is on shelf {n + 3}." for n in range(24)]
WANTED = [[ask, tell] for ask, tell in zip(ASKS, TELLS, strict=True)]
Turn = tuple[datetime.datetime, str, str]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty folder, with a space and Japanese characters in its name, the current one."""
    folder = tmp_path / "新しい 仕事"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def talk(asks: str = "Ana", tells: str = "Luis") -> list[Turn]:
    """Return a conversation on each of 24 days: one asks, the other answers."""
    said: list[Turn] = []
    for day, (ask, tell) in enumerate(WANTED):
        time = START + datetime.timedelta(days=day)
        said += [(time, asks, ask), (time + datetime.timedelta(minutes=2), tells, tell)]
    return said


def line(said: list[Turn], head: str, day: str, clock: str) -> str:
    """Return what LINE saves."""
    text, date = head, ""
    for time, name, words in said:
        if time.strftime(day) != date:
            date = time.strftime(day)
            text += f"\n{date}\n"
        text += f"{time.strftime(clock)}\t{name}\t{words}\n"
    return text


LINES = {
    "ja": line(talk(), "[LINE] Anaとのトーク履歴\n保存日時：2025/11/30 10:00\n", "%Y/%m/%d(火)", "%H:%M"),
    "ja12": line(
        talk(), "[LINE] Anaとのトーク履歴\n保存日時：2025/11/30 10:00\n", "%Y/%m/%d(火)", "午前%H:%M"
    ),
    "en": line(
        talk(), "[LINE] Chat history with Ana\nSaved on: 11/30/2025, 10:00\n", "Tue, %m/%d/%Y", "%I:%M %p"
    ),
    "zh": line(
        talk(), "[LINE] 與Ana的聊天記錄\n儲存日期： 2025/11/30 10:00\n", "%Y/%m/%d（二）", "上午%H:%M"
    ),
    "ko": line(
        talk(), "[LINE] Ana님과의 대화\n저장한 날짜 : 2025/11/30 10:00\n", "%Y.%m.%d 화요일", "오전 %H:%M"
    ),
    "th": line(talk(), "[LINE] ประวัติการแชทกับ Ana\nบันทึกเมื่อ 1/12/2568 10:00 น.\n", "ส. %d/%m/2568", "%H:%M"),
    "pc": line(talk(), "", "%Y.%m.%d Tuesday", "%H:%M").replace("\t", " ").lstrip(),
}


def whatsapp(form: str) -> str:
    """Return what WhatsApp exports, with a line of its own first."""
    first = START.strftime(form).removesuffix("{name}: ") + "Messages and calls are end-to-end encrypted.\n"
    return first + "".join(
        f"{time.strftime(form).format(name=name)}{words}\n" for time, name, words in talk()
    )


WHATSAPPS = {
    "ios-de": "[%d.%m.%y, %H:%M:%S] {name}: ",
    "ios-us": "[%m/%d/%y, %I:%M:%S\u202f%p] {name}: ",
    "ios-ja": "[%Y/%m/%d %H:%M:%S] {name}: ",
    "ios-mark": "\u200e[%d/%m/%Y, %H:%M:%S] {name}: ",
    "android-us": "%m/%d/%y, %I:%M %p - {name}: ",
    "android-es": "%d/%m/%y, %H:%M - {name}: ",
    "android-es12": "%d/%m/%y, %I:%M a.\u00a0m. - {name}: ",
    "android-br": "%d/%m/%Y %H:%M - {name}: ",
    "android-nl": "%d-%m-%Y %H:%M - {name}: ",
    "android-fr": "%d/%m/%Y à %H:%M - {name}: ",
    "android-ja": "%Y/%m/%d, %H:%M - {name}: ",
    "android-ko": "%Y. %m. %d. 오전 %I:%M - {name}: ",
    "android-fi": "%d.%m.%Y klo %H.%M - {name}: ",
    "android-de": "%d.%m.%Y, %H:%M Uhr - {name}: ",
    "android-it": "%d/%m/%y, %H.%M - {name}: ",
}


def telegram(said: list[Turn]) -> dict[str, Any]:
    """Return what Telegram exports of a chat; every other text is a list of parts."""
    messages: list[dict[str, Any]] = [
        {"id": 0, "type": "service", "date": "2025-10-01T08:00:00", "action": "x", "text": ""}
    ]
    for number, (time, name, words) in enumerate(said, 1):
        parts = [words[:4], {"type": "bold", "text": words[4:]}]
        text = parts if number % 2 else words
        sender = {"from": name, "from_id": f"user{name}"}
        messages.append({"id": number, "type": "message", "date": time.isoformat(), **sender, "text": text})
    return {"name": "Ana", "type": "personal_chat", "id": 1, "messages": messages}


def discord(said: list[Turn], bot: str = "") -> dict[str, Any]:
    """Return what DiscordChatExporter writes."""
    messages = [
        {
            "id": str(number),
            "type": "Default",
            "timestamp": f"{time.isoformat()}.123+00:00",
            "content": words,
            "author": {"id": name, "name": name, "isBot": name == bot},
        }
        for number, (time, name, words) in enumerate(said)
    ]
    joined = {**messages[0], "type": "GuildMemberJoin", "content": "Joined the server."}
    return {"guild": {"id": "1"}, "channel": {"id": "2"}, "messages": [joined, *messages]}


def slack(said: list[Turn]) -> list[dict[str, Any]]:
    """Return the messages of a channel of Slack, with a line of its own and a mention."""
    found: list[dict[str, Any]] = [
        {
            "type": "message",
            "subtype": "channel_join",
            "user": "UAna",
            "text": "joined",
            "ts": "1700000000.000100",
        }
    ]
    for time, name, words in said:
        ts = f"{int(time.timestamp())}.000200"
        profile = {"real_name": name, "display_name": ""}
        found.append(
            {"type": "message", "user": f"U{name}", "text": words, "ts": ts, "user_profile": profile}
        )
    return found


def discord_table(said: list[Turn]) -> str:
    """Return what DiscordChatExporter writes as CSV."""
    rows = "".join(
        f'"1","{name}","{time.isoformat()}.0000000+00:00","{words}","",""\n' for time, name, words in said
    )
    return f"AuthorID,Author,Date,Content,Attachments,Reactions\n{rows}"


EXPORTS = [
    *(("line", f"line-{key}.txt", text) for key, text in LINES.items()),
    *(("whatsapp", f"{key}.txt", whatsapp(form)) for key, form in WHATSAPPS.items()),
    ("telegram", "result.json", json.dumps(telegram(talk()), indent=1)),
    ("telegram", "all.json", json.dumps({"about": "", "chats": {"list": [telegram(talk())]}})),
    ("discord", "channel.json", json.dumps(discord(talk()), indent=1)),
    ("discord", "channel.csv", discord_table(talk())),
    ("slack", "2025-11-01.json", json.dumps(slack(talk()), indent=1)),
    ("slack", "history.json", json.dumps({"ok": True, "messages": slack(talk())[::-1]})),
]


@pytest.mark.parametrize(("service", "name", "text"), EXPORTS, ids=[one[1] for one in EXPORTS])
def test_exports_are_read(service: str, name: str, text: str) -> None:
    """An export of any service in any language is recognised and gives a conversation for each day."""
    Path(name).write_text(text, encoding="utf-8")
    findings = Findings()
    reading = reading_of(
        Path(name), "json" if "json" in name else "csv", None, None, {}, FilePlace(name, findings)
    )
    assert reading.format == service
    source = Source(path=name, base=Path(), key=())
    file = SourceFile(path=Path(name), source=source, role="data", format=service)
    rows = [row for _, row in numbered(file, FilePlace(name, findings))]
    assert [
        [one["content"], two["content"]] for one, two in zip(rows[::2], rows[1::2], strict=True)
    ] == WANTED
    assert {(row["speaker"], int(str(row["conversation"]))) for row in rows} == {
        (name, day) for name in ("Ana", "Luis") for day in range(1, 25)
    }
    assert not findings.errors


@pytest.mark.parametrize(
    "name", ["line-ja.txt", "line-pc.txt", "ios-us.txt", "all.json", "channel.csv", "2025-11-01.json"]
)
def test_exports_are_drafted(capsys: pytest.CaptureFixture[str], name: str) -> None:
    """What `init` drafts for an export makes chats of it; who answers is the assistant."""
    service, text = next((service, text) for service, known, text in EXPORTS if known == name)
    Path(name).write_text(text, encoding="utf-8")
    draft, said = drafted(capsys, Path(name), "--name", "drafted")
    assert f"      format: {service}\n" in draft
    assert '      pause: "6h"' in draft
    assert "roles: {user: [Ana], assistant: [Luis]}" in draft.replace('"', "")
    assert said == WANTED


def messages(capsys: pytest.CaptureFixture[str], name: str, text: str, persona: str) -> list[list[str]]:
    """Return what is said in the examples of an export whose persona is named."""
    Path(name).write_text(text, encoding="utf-8")
    return drafted(capsys, Path(name), "--persona", persona)[1]


def test_line_leaves_out_what_is_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Stickers, photos, calls and lines of LINE itself are left out; texts of several lines are whole."""
    text = (
        "[LINE] 花子とのトーク履歴\n保存日時：2025/11/01 10:00\n\n2025/11/01(土)\n"
        '10:00\t花子\t[スタンプ]\n10:01\t花子\t"今日は\n\n忙しい？"\n10:01\t花子\t[写真]\n'
        "10:01\t花子\t☎ 不在着信\n"
        '10:02\t太郎\t"はい"と言います\n10:03\t太郎がグループに参加しました。\n10:04\t太郎\t[笑]\n'
        "2025/11/02(日)\n9:00\t花子\tおはよう\n9:01\t太郎\t☎ 通話時間 0:34\n9:02\t太郎\tおはよう。\n"
    )
    assert messages(capsys, "line.txt", text, "太郎") == [
        ["今日は\n\n忙しい？", '"はい"と言います\n[笑]'],
        ["おはよう", "おはよう。"],
    ]


def test_whatsapp_leaves_out_what_is_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Media in several languages, deleted messages and lines of the service are left out."""
    without = [
        "<Media omitted>",
        "<Medien ausgeschlossen>",
        "<Multimedia omitido>",
        "\u200eimage omitted",
        "\u200eBild weggelassen",
        "IMG-20250101-WA0001.jpg (file attached)",
        "\u200e<attached: 00000012-PHOTO.jpg>",
        "This message was deleted",
        "Diese Nachricht wurde gelöscht.",
        "Missed voice call",
        "null",
    ]
    lines = [f"01.11.25, 09:0{n % 10} - Ana: {words}" for n, words in enumerate(without)]
    lines += [
        "01.11.25, 09:20 - Ana: Is it open?",
        "And until when?",
        "01.11.25, 09:21 - Ana added Luis",
        "01.11.25, 09:22 - Luis: Yes: until six. <This message was edited>",
        "01.11.25, 09:23 - ~\u00a0Bo: @\u2068Luis\u2069 thanks",
        "01.11.25, 09:24 - Luis: You are welcome.",
    ]
    assert messages(capsys, "wa.txt", "\n".join(lines), "Luis") == [
        ["Is it open?\nAnd until when?", "Yes: until six."],
        ["@Luis thanks", "You are welcome."],
    ]


def test_threads_and_mentions_of_slack(capsys: pytest.CaptureFixture[str]) -> None:
    """A thread is a conversation of its own, whatever is said between; mentions and links are readable."""
    said = slack([(START, "Ana", "<@ULuis> is <https://example.com|the page> up &amp; running?")])
    thread = str(said[1]["ts"])
    said[1]["thread_ts"] = thread
    other = slack([(START + datetime.timedelta(minutes=1), "Bo", "Lunch?")])[1:]
    answer = slack([(START + datetime.timedelta(minutes=2), "Luis", "Yes, <!here> see <#C1|general>.")])[1:]
    answer[0]["thread_ts"] = thread
    text = json.dumps([*said, *other, *answer])
    assert messages(capsys, "a.json", text, "Luis") == [
        ["@Luis is the page up & running?", "Yes, @here see #general."]
    ]


def test_a_bot_is_the_assistant(capsys: pytest.CaptureFixture[str]) -> None:
    """In a channel of many the one that the service calls a bot is drafted, the others are users."""
    said = [
        (time, name if name == "Helper" else f"{name}{n % 5}", words)
        for n, (time, name, words) in enumerate(talk("Ana", "Helper"))
    ]
    Path("channel.json").write_text(json.dumps(discord(said, bot="Helper")), encoding="utf-8")
    draft, texts = drafted(capsys, Path("channel.json"))
    assert 'assistant: ["Helper"]' in draft
    assert texts == WANTED


@pytest.mark.parametrize(
    ("case", "speakers"),
    [("discord.json", ["Ana", "Luis"]), ("telegram.json", ["Ana", "Luis"]), ("line.txt", ["花子", "太郎"])],
)
def test_who_answers_is_asked_where_it_is_unclear(
    capsys: pytest.CaptureFixture[str], case: str, speakers: list[str]
) -> None:
    """One long conversation doesn't say who the assistant is: the tip has a command for each, which works."""
    file = CASES / "24-chat-exports" / case
    message, hint = refusal(capsys, str(file))
    assert all(one in message for one in speakers)
    for number, speaker in enumerate(speakers):
        assert f"--persona {speaker}" in hint.replace("'", "")
        draft, _ = drafted(capsys, file, "--persona", speaker, *(["--force"] if number else []))
        assert f"assistant: [{speaker}]" in draft.replace('"', "")
        assert "turns: 2" in draft
    assert init(capsys, str(file), "--persona", "nobody", code=2)["error"]["code"] == "persona"


def test_who_answers_is_asked_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal the speakers are listed, and the number of one makes it the assistant."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal("2\n"))
    shown = Terminal()
    monkeypatch.setattr("sys.stderr", shown)
    with pytest.raises(SystemExit) as exit_:
        main(["init", str(CASES / "24-chat-exports" / "line.txt")])
    assert exit_.value.code == 0
    assert "Who should the model learn to be?" in shown.getvalue()
    assert 'assistant: ["太郎"]' in Path("configs/line.yaml").read_text(encoding="utf-8")


def test_whatsapp_case(capsys: pytest.CaptureFixture[str]) -> None:
    """The export in which Ana opens every day is drafted with Luis as the assistant, and says so."""
    notes = init(capsys, str(CASES / "24-chat-exports" / "wa.txt"))["notes"]
    assert any("'Luis'" in note and "--persona Ana --force" in note for note in notes)


def test_an_export_in_a_hand_written_file_is_named(capsys: pytest.CaptureFixture[str], ftrun: Ftrun) -> None:
    """`check` of a chat export without its format says how many messages there are and which format it is."""
    for case, words in (
        ("telegram.json", "Its key `messages` holds 24 of them"),
        ("line.txt", "export of LINE"),
    ):
        Path(case).write_bytes((CASES / "24-chat-exports" / case).read_bytes())
        Path("a.yaml").write_text(
            f"version: 1\nname: a\ndata: {{sources: [{{path: {case}}}]}}\n", encoding="utf-8"
        )
        done = ftrun("check", str(Path("a.yaml").absolute()))
        assert done.returncode == 2
        assert words in done.stdout + done.stderr
        assert "`format: " in done.stdout + done.stderr


def test_a_folder_of_slack_runs_by_its_days(capsys: pytest.CaptureFixture[str]) -> None:
    """A channel's folder, with a file for each day, is drafted as a pattern and read whole."""
    folder = Path("一般 general")
    folder.mkdir()
    for day, (asks, tells) in enumerate(zip(talk()[::2], talk()[1::2], strict=True), 1):
        (folder / f"2025-11-{day:02}.json").write_text(json.dumps(slack([asks, tells])), encoding="utf-8")
    draft, said = drafted(capsys, folder, "--name", "general")
    assert "general/[0-9]*.json" in draft
    assert said == WANTED
    (folder / "2025-11-01.json").write_text("[]", encoding="utf-8")
    assert init(capsys, str(folder), code=2)["error"]["code"] == "not_a_file"


def test_pauses_and_turns_cut() -> None:
    """A pause cuts where it is longer than the key says, and `turns` after an answer."""
    said = [Said(1, START + datetime.timedelta(hours=5 * n), "AB"[n % 2], str(n)) for n in range(9)]

    def ids(**keys: Any) -> list[object]:
        source = Source(base=Path(), key=(), roles={"assistant": ("A",)}, **keys)
        return [row["conversation"] for _, row in turns_of(said, source)]

    assert ids() == ["1"] * 9
    assert ids(pause="4h") == [str(n) for n in range(1, 10)]
    assert ids(turns=2) == ["1", "1", "1", "2", "2", "3", "3", "4", "4"]


def test_an_export_runs_on_a_rehearsal(ftrun: Ftrun, project: Path) -> None:
    """A chat of WhatsApp goes from the file to a tuned model without an edit."""
    file = project / "チャット 1.txt"
    file.write_text(whatsapp(WHATSAPPS["ios-ja"]), encoding="utf-8")
    document = ftrun.json("init", str(file))
    rehearse = ("--set", "targets.local.model=rehearsal")
    assert not ftrun.json("check", document["file"], *rehearse)["errors"]
    assert ftrun.json("run", document["file"], *rehearse)["status"] == "done"
