"""Languages of texts: recognised by script and common words, never guessed from names or code."""

from __future__ import annotations

import pytest

from ftrun.langid.majority import main_language
from ftrun.langid.tables import LANGUAGE_NAMES

# by language: questions and answers as they are in training data, all of our own
TEXTS = {
    "en": ("What time does the pool open on Sundays?", "You can return it within 30 days."),
    "es": ("¿A qué hora abre la piscina los domingos?", "Puede devolver el pedido en treinta días."),
    "pt": ("A que horas abre a piscina aos domingos?", "Não tenho a chave do meu quarto."),
    "fr": ("À quelle heure ouvre la piscine le dimanche ?", "Vous pouvez le rendre sous trente jours."),
    "it": ("A che ora apre la piscina la domenica?", "Non ho la chiave della mia camera."),
    "de": ("Wann öffnet das Schwimmbad am Sonntag?", "Sie können die Bestellung zurückgeben."),
    "nl": ("Hoe laat gaat het zwembad op zondag open?", "Ik heb de sleutel van mijn kamer niet."),
    "sv": ("När öppnar simhallen på söndagar?", "Jag har inte nyckeln till mitt rum."),
    "da": ("Hvornår åbner svømmehallen om søndagen?", "Jeg har ikke nøglen til mit værelse."),
    "fi": ("Milloin uimahalli aukeaa ja mitä se maksaa?", "Minulla ei ole avainta, mutta voit kysyä."),
    "pl": ("O której godzinie otwiera się basen?", "Zamówienie można zwrócić w ciągu trzydziestu dni."),
    "cs": ("V kolik hodin se otevírá bazén v neděli?", "Objednávku můžete vrátit do třiceti dnů."),
    "sk": ("O koľkej sa otvára bazén v nedeľu?", "Nemám kľúč od svojej izby, kde ho dostanem?"),
    "hu": ("Hány órakor nyit az uszoda vasárnap?", "Nincs meg a szobám kulcsa, és nem tudok bemenni."),
    "ro": ("La ce oră se deschide piscina duminica?", "Nu am cheia de la camera mea."),
    "tr": ("Havuz pazar günleri saat kaçta açılır?", "Anahtar bende değil, lütfen bir daha sorun."),
    "id": ("Jam berapa kolam renang buka?", "Saya tidak punya kunci kamar, bisa minta lagi?"),
    "vi": ("Hồ bơi mở cửa lúc mấy giờ?", "Bạn có thể trả lại đơn hàng trong vòng ba mươi ngày."),
    "ca": ("A quina hora obre la piscina els diumenges?", "No tinc la clau de la meva habitació, què faig?"),
    "hr": ("Kada se otvara bazen nedjeljom?", "Nemam ključ od svoje sobe, gdje ga mogu dobiti?"),
    "et": ("Mis kell ujula pühapäeval avatakse?", "Mul ei ole oma toa võtit, kus ma selle saan?"),
    "lt": ("Kada sekmadienį atidaromas baseinas?", "Užsakymą galima grąžinti per trisdešimt dienų."),
    "lv": ("Kad svētdien atver baseinu?", "Pasūtījumu var atgriezt trīsdesmit dienu laikā."),
    "sw": ("Bwawa la kuogelea linafunguliwa saa ngapi?", "Unaweza kurudisha oda yako katika siku za wiki."),
    "ru": ("Во сколько открывается бассейн?", "Заказ можно вернуть в течение тридцати дней."),
    "uk": ("О котрій годині відкривається басейн?", "Ключ можна взяти, якщо його немає у вас."),
    "bg": ("В колко часа отваря басейнът?", "Ключът се взема от рецепцията, ако го няма."),
    "ar": ("متى يفتح المسبح يوم الأحد؟", "يمكنك إرجاع الطلب خلال ثلاثين يوما."),
    "fa": ("استخر چه ساعتی باز می‌شود؟", "سفارش را می‌توانید تا سی روز برگردانید."),
    "ur": ("تالاب اتوار کو کب کھلتا ہے؟", "آپ آرڈر تیس دن میں واپس کر سکتے ہیں۔"),
    "hi": ("रविवार को पूल कब खुलता है?", "आप तीस दिनों में ऑर्डर वापस कर सकते हैं।"),
    "mr": ("रविवारी तलाव केव्हा उघडतो आणि कुठे आहे?", "तलाव नऊ वाजता उघडतो आणि सहा वाजता बंद होतो."),
    "he": ("באיזו שעה נפתח אשנב 1?", "האשנב נפתח בשעה 1 בבוקר."),
    "el": ("Τι ώρα ανοίγει η πισίνα;", "Ανοίγει στις εννέα."),
    "th": ("สระว่ายน้ำเปิดกี่โมง", "เปิดเก้าโมงเช้า"),
    "ko": ("수영장은 1층에 있나요?", "네, 1층 엘리베이터 옆에 있습니다."),
    "ja": ("プールは何時に開きますか？", "Docker Compose で起動してください。"),
    "zh": ("游泳池几点开门？", "请使用 Docker Compose 部署 Kubernetes 集群。"),
    "bn": ("রবিবার পুল কখন খোলে?", "নয়টায় খোলে।"),
    "ta": ("குளம் எப்போது திறக்கும்?", "ஒன்பது மணிக்கு."),
}
OF_NO_LANGUAGE = (
    "",
    "…",
    "12345",
    "Q0?",
    "ok",
    "Paris",
    "positive",
    "desk0@pool-nord.net",
    "iPhone 15 Pro Max",
    "https://example.com/de/la/que/el",
    "`la = de + que`",
    '{"la": "el", "que": "los"}',
    "<p class='de la'>42</p>",
)
# English with names, terms and quotations of other languages: never one of those
ENGLISH = (
    ("Where is El Camino de la Reina?", "It is in the south of the town, next to the Casa del Sol."),
    ("What does 'déjà vu' mean?", "It is French for the feeling that you have seen something before."),
    ("Who wrote Die Leiden des jungen Werthers?", "Johann Wolfgang von Goethe, when he was 24."),
    ("How do I say thank you in Japanese?", "You say ありがとう, or more politely ありがとうございます."),
    ("Is São Paulo larger than Rio de Janeiro?", "Yes, it has about twice as many people."),
    ("What is the capital of Ukraine?", "Kyiv (Київ) is the capital and the largest city."),
)


@pytest.mark.parametrize(("language", "texts"), TEXTS.items(), ids=list(TEXTS))
def test_a_few_texts_show_their_language(language: str, texts: tuple[str, str]) -> None:
    """Two sentences are enough; no single one is taken for a language of another script or family."""
    assert main_language(texts) == language
    assert language in LANGUAGE_NAMES


def test_single_sentences_are_hardly_ever_mistaken() -> None:
    """Unclear ones are of no language; at most one in twenty is taken for another one."""
    found = [(language, main_language([text])) for language, texts in TEXTS.items() for text in texts]
    wrong = [pair for pair in found if pair[1] not in (pair[0], None)]
    right = [pair for pair in found if pair[1] == pair[0]]
    assert len(wrong) <= len(found) / 20, wrong
    assert len(right) >= 0.7 * len(found)


@pytest.mark.parametrize("text", OF_NO_LANGUAGE)
def test_what_is_no_sentence_has_no_language(text: str) -> None:
    """Names, numbers, addresses, code, markup and single words say nothing."""
    assert main_language([text]) is None


def test_english_with_foreign_names_is_english() -> None:
    """What is quoted does not count more than what it is quoted in."""
    assert {main_language([" ".join(pair)]) for pair in ENGLISH} <= {"en", None}
    assert main_language(text for pair in ENGLISH for text in pair) == "en"
