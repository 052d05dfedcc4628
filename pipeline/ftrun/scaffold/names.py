"""The usual names of columns and speakers, compared without case, width, spaces and punctuation."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable

# all as `plain_name` spells them; of a list, the first that a file has wins
USER = (
    "user question 質問 問い 問 質問文 q prompt instruction input query request human customer "
    "ユーザー ユーザ 入力 指示 発話 相談 お客様 お問い合わせ 問い合わせ お問合せ 問合せ ご質問 "
    "问题 问 提问 问句 用户 输入 指令 提示 提示词 問題 問 提問 問句 用戶 使用者 輸入 客户 客戶 顾客 "
    "질문 문의 물음 사용자 입력 지시 프롬프트 고객 "
    "pregunta consulta usuario entrada instrucción pergunta dúvida usuário utilizador instrução "
    "demande utilisateur entrée consigne frage anfrage benutzer nutzer eingabe anweisung kunde "
    "domanda quesito utente istruzione richiesta vraag gebruiker invoer opdracht klant "
    "pytanie użytkownik wejście polecenie zapytanie вопрос запрос пользователь ввод инструкция клиент "
    "питання запитання користувач запит інструкція ερώτηση χρήστης είσοδος οδηγία αίτημα "
    "soru kullanıcı girdi talimat سؤال السؤال أسئلة المستخدم مستخدم المدخل الإدخال تعليمات "
    "שאלה משתמש קלט הוראה פנייה پرسش سوال کاربر سئوال प्रश्न सवाल उपयोगकर्ता इनपुट "
    "คำถาม ผู้ใช้ อินพุต câuhỏi hỏi ngườidùng đầuvào pertanyaan tanya pengguna masukan perintah "
    "fråga användare inmatning otázka dotaz uživatel vstup spørgsmål spørsmål bruger bruker kysymys "
    "käyttäjä kérdés felhasználó întrebare utilizator въпрос потребител pitanje vprašanje korisnik"
)
ASSISTANT = (
    "assistant answer 回答 答え 答 回答文 a completion output response reply bot "
    "アシスタント 出力 応答 返答 返事 返信 ご回答 対応 "
    "答案 回复 回覆 回應 回应 答复 答覆 助手 输出 輸出 客服 "
    "답변 답 대답 응답 출력 어시스턴트 상담원 "
    "respuesta contestación asistente salida resposta assistente saída réponse sortie assistant "
    "antwort ausgabe assistent risposta uscita antwoord uitvoer "
    "odpowiedź asystent wyjście ответ ассистент вывод відповідь асистент вивід απάντηση βοηθός έξοδος "
    "cevap yanıt asistan çıktı جواب الجواب إجابة الإجابة الاجابة الرد رد المساعد الناتج "
    "תשובה מענה עוזר פלט پاسخ دستیار उत्तर जवाब सहायक आउटपुट "
    "คำตอบ ผู้ช่วย เอาต์พุต câutrảlời trảlời đápán trợlý đầura jawaban jawab asisten keluaran balasan "
    "svar assistent utmatning odpověď asistent výstup vastaus válasz asszisztens răspuns отговор "
    "odgovor assistant"
)
SYSTEM = (
    "system systemprompt systemmessage persona systeminstruction システム システムプロンプト 人格 "
    "系统 系統 系统提示 系統提示 系统提示词 시스템 시스템프롬프트 sistema système systeme "
    "systeem система системный системныйпромпт σύστημα sistem نظام النظام מערכת سیستم सिस्टम ระบบ hệthống"
)
CONTEXT = (
    "context passage document paragraph article background knowledge excerpt 文脈 コンテキスト 背景 参考文 "
    "参考資料 資料 上下文 背景信息 文档 段落 上下文內容 문맥 지문 맥락 contexto contexte kontext contesto "
    "context kontekst контекст документ πλαίσιο bağlam سياق السياق הקשר متن संदर्भ บริบท ngữcảnh konteks "
    "sammanhang souvislost"
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
ACCENTS = re.compile("[\u0300-\u036f]")
# what a name may have around the word that matters: ご質問内容, question_text, answers
AROUND = re.compile(r"^[ごお御](?=..)|(?<=..)(?:内容|本文|文章|文|テキスト|text|message|s)$")


def find_column(columns: Iterable[str], names: str, *taken: str | None) -> str | None:
    """Return the column that has the first of `names`, else one whose name contains such a name.

    Columns that are `taken` are left alone.
    """
    plain = {column: plain_name(column) for column in columns if column not in taken}
    for spelling in (plain, {column: AROUND.sub("", name) for column, name in plain.items()}):
        for wanted in _plain_names(names):
            found = next((column for column, name in spelling.items() if name == wanted), None)
            if found is not None:
                return found
    return None


def plain_name(name: str) -> str:
    """Return `name` without case, width, accents, spaces and punctuation: `Ｑ．` and `q` are the same."""
    text = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", name).casefold())
    text = unicodedata.normalize("NFC", ACCENTS.sub("", text))
    return "".join(character for character in text if character.isalpha() or character == "ー")


@functools.cache
def _plain_names(names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(plain_name, names.split())))
