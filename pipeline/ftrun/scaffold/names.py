"""The usual names of columns and speakers, compared without case, width, spaces and punctuation."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# all as `plain_name` spells them; of a list, the first that a file has wins
USER = (
    "user question 質問 問い 問 質問文 q prompt instruction input query request human customer "
    "ユーザー ユーザ 入力 指示 発話 相談 お客様 お問い合わせ 問い合わせ お問合せ 問合せ ご質問"
)
ASSISTANT = (
    "assistant answer 回答 答え 答 回答文 a completion output response reply bot "
    "アシスタント 出力 応答 返答 返事 返信 ご回答 対応"
)
PREFERRED = (
    "chosen preferred preferredoutput preferredanswer winner better good "
    "良い回答 良い答え 良い 好ましい回答 望ましい回答 採用回答 採用 正解例"
)
REJECTED = (
    "rejected nonpreferred nonpreferredoutput nonpreferredanswer loser worse bad "
    "悪い回答 悪い答え 悪い 好ましくない回答 望ましくない回答 不採用回答 不採用 不正解例"
)
REFERENCE = (
    "reference referenceanswer answer correctanswer expected expectedanswer ideal target label solution "
    "groundtruth correct output 正解 模範解答 解答 回答 答え 答 期待値"
)
CONVERSATION = (
    "conversationid conversation threadid thread sessionid session dialogueid dialogid dialogue chatid "
    "ticketid ticket 会話id 会話番号 会話 スレッドid スレッド セッションid セッション チケットid "
    "チケット番号 チケット 問い合わせid 問い合わせ番号 お問い合わせ番号 受付番号 相談番号 案件番号 案件id "
    "対話id ルームid トークid トークルームid threadts"
)
ROLE = (
    "role speaker sendertype sender author from 発言者 話者 話し手 役割 ロール 送信者タイプ 送信者種別 "
    "送信者 発信者 投稿者 送信元 発話者 user username 送信者名"
)
CONTENT = (
    "content text message body utterance 本文 内容 メッセージ 発言内容 発言 発話 テキスト メッセージ本文"
)
ORDER = (
    "timestamp ts datetime createdat sentat date time turn turnid order seq sequence index 日時 送信日時 "
    "発言日時 投稿日時 作成日時 日付 時刻 時間 順番 順序 連番 発言番号"
)
SPEAKERS = {
    "user": "user human customer client visitor guest お客様 お客さま 客 顧客 ユーザー ユーザ 利用者 質問者 "
    "相談者 依頼者 問い合わせ者 会員",
    "assistant": "assistant bot agent operator ai gpt staff support account オペレーター オペレータ 担当者 "
    "担当 サポート サポート担当 ボット 店員 スタッフ 回答者 アシスタント 自社 窓口",
    "system": "system システム",
}
# what a name may have around the word that matters: ご質問内容, question_text, answers
AROUND = re.compile(r"^[ごお御](?=..)|(?<=..)(?:内容|本文|文章|文|テキスト|text|message|s)$")


def find_column(columns: Iterable[str], names: str, *taken: str | None) -> str | None:
    """Return the column that has the first of `names`, else one whose name contains such a name.

    Columns that are `taken` are left alone.
    """
    plain = {column: plain_name(column) for column in columns if column not in taken}
    for spelling in (plain, {column: AROUND.sub("", name) for column, name in plain.items()}):
        for wanted in names.split():
            found = next((column for column, name in spelling.items() if name == wanted), None)
            if found is not None:
                return found
    return None


def plain_name(name: str) -> str:
    """Return `name` without case, width, spaces and punctuation: `Ｑ．` and `q` are the same name."""
    text = unicodedata.normalize("NFKC", name).casefold()
    return "".join(character for character in text if character.isalpha() or character == "ー")
