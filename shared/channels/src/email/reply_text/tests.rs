//! What is cut, what stays, and how much is looked at.

use proptest::prelude::*;

use super::*;

fn reply(text: &str) -> Option<String> {
    reply_text(text, &Known::default())
}

/// What stands under new words is no part of the reply.
#[track_caller]
fn is_cut(under: &str) {
    let text = format!("New words.\n\n{under}");
    assert_eq!(reply(&text).as_deref(), Some("New words."), "{text}");
}

fn about(subject: &str) -> Known<'_> {
    Known { subject: Some(subject), ..Known::default() }
}

#[test]
fn quotes_and_signatures_are_cut() {
    let cases = [
        ("Yes.\n\nOn Mon, 3 Nov 2025 at 10:00, Anna <a@x.example> wrote:\n> Really?\n>\n> Anna", "Yes."),
        ("Yes.\n\nOn Mon, 3 Nov 2025 at 10:00, Anna Berg\n<anna@x.example> wrote:\n\n> Really?", "Yes."),
        ("Ja.\n\nAm 03.11.2025 um 10:00 schrieb Anna Berg:\n> Wirklich?", "Ja."),
        ("Oui.\n\nLe lun. 3 nov. 2025 à 10:00, Anna a écrit\u{a0}:\n> Vraiment ?", "Oui."),
        ("Yes.\n\n-----Original Message-----\nFrom: Anna\nSent: Monday\n\nReally?", "Yes."),
        ("Ja.\n\n-----Ursprüngliche Nachricht-----\nVon: Anna\n\nWirklich?", "Ja."),
        ("Yes.\n-- \nAnna Berg\nExample Ltd", "Yes."),
        ("Yes.\n-- \nAnna\n\nOn 3 Nov 2025, Bo wrote:\n> Really?", "Yes."),
        ("a\n\n b\n\nOn 3 Nov 2025, Bo wrote:\n> Really?", "a\n\n b"),
        ("Yes.\n\nSent from my iPhone\n\n> On 3 Nov 2025, at 10:00, Bo <b@x.example> wrote:\n>\n> Really?", "Yes."),
        ("Ja.\n\n-------- Original-Nachricht --------\n> Datum: Montag\n> Von: A\n>\n> Alt.", "Ja."),
        (
            "Yes.\n\nOn 3 Nov 2025, Bo wrote:\n> Old.\n\n_______________________________________________\n\
             Users mailing list\nusers@lists.example",
            "Yes.",
        ),
        ("Yes.\n\n> On 3 Nov 2025, at 10:00, Bo\n> <b@x.example> wrote:\n>\n> Really?", "Yes."),
    ];
    for (text, expected) in cases {
        assert_eq!(reply(text).as_deref(), Some(expected), "{text:?}");
    }
}

#[test]
fn announcements_are_known_in_many_languages() {
    let cases = [
        "On Mon, Nov 3, 2025 at 10:00\u{202f}AM Anna Berg <anna@x.example> wrote:",
        "On Monday, November 3rd, 2025 at 10:00 AM, Anna Berg via Support\n<anna-with-a-long-address@support.x.example>\nwrote:",
        "Anna Berg <anna@x.example> writes:",
        "Anna Berg wrote on 3/11/2025 10:00:",
        "------- Original Message -------\nOn Monday, November 3rd, 2025 at 10:00 AM, Anna <anna@x.example> wrote:",
        "At 10:00 03/11/2025, you wrote:",
        "Понедельник, 3 ноября 2025, 10:00 +03:00 от Anna <anna@x.example>:",
        "Am Mo., 3. Nov. 2025 um 10:00 Uhr schrieb Anna Berg <\nanna@x.example>:",
        "Anna Berg <anna@x.example> schrieb am Mo., 3. Nov. 2025, 10:00:",
        "Am 03.11.25 um 10:00 hat Anna Berg geschrieben:",
        "Le lun. 3 nov. 2025 à 10:00, Anna Berg <anna@x.example> a écrit :",
        "El lun, 3 nov 2025 a las 10:00, Anna Berg (<anna@x.example>) escribió:",
        "Il giorno lun 3 nov 2025 alle ore 10:00 Anna Berg <anna@x.example>\nha scritto:",
        "Em seg., 3 de nov. de 2025 às 10:00, Anna Berg <anna@x.example>\nescreveu:",
        "Anna Berg <anna@x.example> escreveu (segunda, 3/11/2025 à(s) 10:00):",
        "Op ma 3 nov 2025 om 10:00 schreef Anna Berg <anna@x.example>:",
        "pon., 3 lis 2025 o 10:00 Anna Berg <anna@x.example> napisał(a):",
        "W dniu 3.11.2025 o 10:00, Anna Berg pisze:",
        "po 3. 11. 2025 v 10:00 odesílatel Anna Berg <anna@x.example>\nnapsal:",
        "po 3. 11. 2025 o 10:00 Anna Berg <anna@x.example> napísal(a):",
        "Den man. 3. nov. 2025 kl. 10.00 skrev Anna Berg <anna@x.example>:",
        "Den mån 3 nov. 2025 kl 10:00 skrev Anna Berg <anna@x.example>:",
        "man. 3. nov. 2025 kl. 10:00 skrev Anna Berg <anna@x.example>:",
        "ma 3. marrask. 2025 klo 10.00 Anna Berg (anna@x.example) kirjoitti:",
        "пн, 3 нояб. 2025 г. в 10:00, Анна Берг <anna@x.example>:",
        "3 ноября 2025 г., в 10:00, Анна Берг написал(а):",
        "пн, 3 лист. 2025 р. о 10:00 Анна Берг <anna@x.example> пише:",
        "На пн, 3.11.2025 г. в 10:00 Anna Berg <anna@x.example> написа:",
        "2025年11月3日(月) 10:00 ベルク <anna@x.example>:",
        "2025/11/03 10:00、Anna Berg <anna@x.example>のメール:",
        "Anna Berg <anna@x.example> 于2025年11月3日周一 10:00写道：",
        "Anna Berg <anna@x.example> 於 2025年11月3日 週一 上午10:00寫道：",
        "2025년 11월 3일 (월) 오전 10:00, 베르크 <anna@x.example>님이 작성:",
        "Anna Berg <anna@x.example>, 3 Kas 2025 Pzt, 10:00 tarihinde şunu yazdı:",
        "Anna Berg <anna@x.example> ezt írta (időpont: 2025. nov. 3., H, 10:00):",
        "În lun., 3 nov. 2025 la 10:00, Anna Berg <anna@x.example> a scris:",
        "Στις Δευ 3 Νοε 2025 στις 10:00 π.μ., ο χρήστης Anna Berg <anna@x.example> έγραψε:",
        "Vào Th 2, 3 thg 11, 2025 vào lúc 10:00 Anna Berg <anna@x.example> đã viết:",
        "Pada Sen, 3 Nov 2025 pukul 10.00 Anna Berg <anna@x.example> menulis:",
        "\u{202b}בתאריך יום ב׳, 3 בנוב׳ 2025 ב-10:00 מאת \u{202a}Anna\u{202c}\u{200f} <\u{202a}anna@x.example\u{202c}\u{200f}>:\u{202c}",
    ];
    for announced in cases {
        for gap in ["\n", "\n\n"] {
            let text = format!("New words.\nAnd more.\n\n{announced}{gap}> Old words.\n>\n>> Older.\n");
            assert_eq!(reply(&text).as_deref(), Some("New words.\nAnd more."), "{text}");
        }
    }
}

#[test]
fn headers_of_quoted_mails_are_known_in_many_languages() {
    let cases = [
        "From: A <a@x.example>\nSent: Monday, 3 November 2025 10:00\nTo: B\nSubject: Order",
        "*From:* A <a@x.example>\n*Sent:* Monday\n*To:* B\n*Subject:* Order",
        "From: A\nDate: Monday\nTo: B <b@x.example>; C <c@x.example>;\n D <d@x.example>\nCc: E\nSubject: Order",
        "________________________________\nFrom: A\nSent: Monday\nTo: B\nSubject: Order",
        "-----Original Message-----\nFrom: A\nSent: Monday\nTo: B\nSubject: Order",
        "-------- Original Message --------\n\nFrom: A",
        "Von: A\nGesendet: Montag\nAn: B\nBetreff: Bestellung",
        "Von: A\nDatum: Montag\nBetreff: Bestellung\nAn: B",
        "Gesendet: Montag, 3. November 2025 um 10:00 Uhr\nVon: A <a@x.example>\nAn: B\nBetreff: Bestellung",
        "-----Original-Nachricht-----\nBetreff: Bestellung\nDatum: Montag\nVon: A\nAn: B",
        "De : A\nEnvoyé : lundi\nÀ : B\nObjet : Commande",
        "De: A\nEnviado el: lunes\nPara: B\nAsunto: Pedido",
        "Da: A\nInviato: lunedì\nA: B\nOggetto: Ordine",
        "De: A\nEnviada em: segunda\nPara: B\nAssunto: Pedido",
        "Van: A\nVerzonden: maandag\nAan: B\nOnderwerp: Bestelling",
        "Od: A\nWysłano: poniedziałek\nDo: B\nTemat: Zamówienie",
        "Od: A\nOdesláno: pondělí\nKomu: B\nPředmět: Objednávka",
        "Od: A\nOdoslané: pondelok\nKomu: B\nPredmet: Objednávka",
        "Fra: A\nSendt: mandag\nTil: B\nEmne: Ordre",
        "Från: A\nSkickat: måndag\nTill: B\nÄmne: Order",
        "Lähettäjä: A\nLähetetty: maanantai\nVastaanottaja: B\nAihe: Tilaus",
        "От: A\nОтправлено: понедельник\nКому: B\nТема: Заказ",
        "Від: A\nНадіслано: понеділок\nКому: B\nТема: Замовлення",
        "差出人: A\n送信日時: 2025年11月3日\n宛先: B\n件名: 注文",
        "发件人: A\n发送时间: 2025年11月3日\n收件人: B\n主题: 订单",
        "寄件者: A\n寄件日期: 2025年11月3日\n收件者: B\n主旨: 訂單",
        "------------------ 原始邮件 ------------------\n发件人: \"A\" <a@x.example>;\n发送时间: 2025年11月3日",
        "보낸 사람: A\n보낸 날짜: 2025년 11월 3일\n받는 사람: B\n제목: 주문",
        "Gönderen: A\nGönderildi: Pazartesi\nKime: B\nKonu: Sipariş",
        "Feladó: A\nElküldve: hétfő\nCímzett: B\nTárgy: Rendelés",
        "De la: A\nTrimis: luni\nCătre: B\nSubiect: Comandă",
        "Από: A\nΣτάλθηκε: Δευτέρα\nΠρος: B\nΘέμα: Παραγγελία",
    ];
    for header in cases {
        is_cut(&format!("{header}\n\nOld words.\n"));
    }
}

#[test]
fn last_lines_of_programs_are_known_in_many_languages() {
    let cases = [
        "Sent from my iPhone",
        "Sent from my Samsung Galaxy smartphone.",
        "Sent from Yahoo Mail for iPhone",
        "Sent from Mail for Windows 10",
        "Get Outlook for iOS<https://aka.ms/o0ukef>",
        "Sent with [Proton Mail](https://proton.me/) secure email.",
        "Get [Outlook for Android](https://aka.ms/x)",
        "Von meinem iPhone gesendet",
        "Von meinem Samsung Galaxy Smartphone gesendet.",
        "Gesendet von Mail für Windows",
        "Outlook für iOS beziehen",
        "Envoyé de mon iPhone",
        "Obtenir Outlook pour iOS",
        "Enviado desde mi iPhone",
        "Inviato da iPhone",
        "Enviado do meu iPhone",
        "Verstuurd vanaf mijn iPhone",
        "Wysłane z iPhone'a",
        "Odesláno z iPhonu",
        "Odoslané z iPhonu",
        "Sendt fra min iPhone",
        "Skickat från min iPhone",
        "Lähetetty iPhonesta",
        "Отправлено с iPhone",
        "Надіслано з iPhone",
        "iPhoneから送信",
        "发自我的iPhone",
        "從我的iPhone傳送",
        "나의 iPhone에서 보냄",
        "iPhone'umdan gönderildi",
        "Az iPhone-omról küldve",
        "Trimis de pe iPhone",
        "Στάλθηκε από το iPhone μου",
    ];
    for footer in cases {
        is_cut(&format!("{footer}\n"));
        is_cut(&format!("{footer}\n\nOn 3 Nov 2025, Bo wrote:\n> Old words."));
    }
}

#[test]
fn what_is_not_surely_a_quote_stays() {
    let cases = [
        "Just a question.",
        "",
        "On Monday she wrote:\nThe parcel is late.",
        "On 3 Nov 2025, Anna wrote:\n> Really?",
        "> Really?\nYes.",
        "Am 3. Mai kam das Paket, darin:\n> nichts",
        "I got this:\n-----Original Message-----\nbut what does it mean?",
        "a\n--\nb",
        "-- \nAnna",
        "> When does it come?\n\nHello,",
        "Total:\n_______________________________________________\n5 euros",
        "It prints:\n\n> npm start\n> app@1.0.0 start\n> node .",
        "The log says at 10:00 on 3.11.2025:\n> error 5",
        "Hello,\n\nyour colleague Anna <anna@x.example> told me on 3 Nov 2025 at 10:00 this:\n> It is free.",
        "Hello,\n\nI got this:\n\nOn 3 Nov 2025, Anna wrote:\n> It is free.",
        "Please book.\n\nFrom: Berlin\nTo: Rome\nDate: 3 May 2026\n\nTwo seats, please.",
        "I got this mail:\n\nFrom: A\nDate: Monday\nTo: B\nSubject: Win\n\nYou win.\n\nIs it from you?",
        "My answers are below, in red.\n\nFrom: A\nSent: Monday\nTo: B\nSubject: x\n\nWhen? Today!",
        "Hi.\n\nOn 3 Nov 2025 at 10:00, Anna <a@x.example> wrote:\n\nIt comes.\n\nBut it did not.",
        "Guten Tag\n\nAm 3.11.2025 schrieb mir Ihr Kollege Folgendes:\n\n> Das Paket kommt morgen.",
        "Guten Tag\n\nAm 3.11.2025 um 10:00 schrieb Ihr Kollege:\n\n> Das Paket kommt morgen.",
        "Hello\n\nOn 3 Nov 2025 the driver also wrote:\n\n> Nobody at home.",
        "Hello.\n\nGet Outlook for iOS<https://aka.ms/x> is what I installed",
        "Sent from my iPhone",
        "Hello.\n\nSent from my iPhone it works, from the computer it does not.",
        "Hello.\nGet the parcel to me by mobile post",
        "Hello.\n-- \nAnna\n\nPS: please call me.",
        "Look.\n\n---------- Forwarded message ---------\nFrom: A\nDate: Monday\nSubject: x\nTo: B\n\nOld words.",
        "Look.\n\nBegin forwarded message:\n\n> From: A\n> Subject: x\n>\n> Old words.",
        "Schau.\n\n-------- Weitergeleitete Nachricht --------\nBetreff: x\nDatum: Montag\nVon: A\n\nAlt.\n-- \nA",
    ];
    for text in cases {
        assert_eq!(reply(text), None, "{text:?}");
    }
    let long = format!("a\n-- \n{}", "line\n".repeat(15));
    assert_eq!(reply(&long), None);
}

#[test]
fn sentences_of_the_sender_announce_nothing() {
    let cases = [
        "On 3 Nov 2025 at 10:30 the driver also wrote:",
        "On 3 Nov 2025 at 10:30 he wrote:",
        "On 3 Nov 2025 she wrote:",
        "On 3 Nov 2025 at 10:30 DHL also wrote:",
        "On 3 Nov 2025 at 10:30 Anna <anna@x.example> wrote on the card:",
        "On 3 Nov 2025 at 10:30 AM the man from your depot <depot@x.example> wrote:",
        "The driver <depot@x.example> wrote on 3 Nov 2025 at 10:30:",
        "On 3 Nov 2025 at 10:30 someone under depot@x.example wrote:",
        "On 3 Nov 2025 at 10:30 the depot <depot@x.example> wrote:",
        "The tracking page on 03.05.2025 at 10:30 wrote:",
        "The page on 03.05.2025 at 10:30 wrote:",
        "The page wrote on 03.05.2025 at 10:30:",
        "Anna wrote to the driver on 03.05.2025 at 10:30:",
        "Please send it on 3.5.2025 at 10:30 to <anna@x.example>:",
        "Send 3.5.2025 at 10:30 to Anna <anna@x.example>:",
        "Yesterday, 3.5.2025 at 10:30, DHL wrote:",
        "Am 3.11.2025 um 10:00 schrieb der Fahrer auf der Karte:",
        "Am 3.11.2025 um 10:00 schrieb DHL auf die Karte:",
        "Am 3.11.2025 um 10:00 haben Sie geschrieben:",
        "Am 3.11.2025 um 10:00 hat der Fahrer geschrieben:",
        "Die Sendungsseite am 3.11.2025 um 10:00 schrieb:",
        "Bitte liefern am 3.11.2025 um 10:00 an <anna@x.example>:",
        "Le 3 nov. 2025 à 10:30 le livreur a écrit :",
        "Le 3 nov. 2025 à 10:30 la Poste a écrit :",
        "El 3/11/2025 a las 10:30 el repartidor escribió:",
        "Il 3/11/2025 alle 10:30 il corriere ha scritto:",
        "Em 3/11/2025 às 10:30 o entregador escreveu:",
        "Op 3-11-2025 om 10:30 schreef de bezorger op het kaartje:",
        "W dniu 3.11.2025 o 10:30 kurier napisał:",
        "Kurier w dniu 3.11.2025 o 10:30 napisał:",
        "Dne 3. 11. 2025 v 10:30 kurýr napsal:",
        "Den 3.11.2025 kl. 10:30 skrev budet på dørskiltet:",
        "Den 3 nov. 2025 kl. 10:30 skrev budet på lappen:",
        "Kuski kirjoitti lappuun 3.11.2025 klo 10.30 näin:",
        "Курьер 3.11.2025 в 10:30 написал:",
        "3.11.2025 в 10:30 курьер написал:",
        "Kurye 3 Kasım 2025 10:30 tarihinde şunu yazdı:",
        "2025. 11. 03. 10:30 a futár ezt írta:",
        "Pe 3 nov. 2025 la 10:30 curierul a scris:",
        "Στις 3 Νοε 2025 στις 10:30 ο οδηγός έγραψε:",
        "司机在2025年11月3日 10:30写道：",
        "2025年11月3日 10:30に配達員が書きました：",
    ];
    for sentence in cases {
        for gap in ["\n", "\n\n"] {
            let text = format!("The parcel is lost.\n\n{sentence}{gap}> Nobody at home.\n");
            assert_eq!(reply(&text), None, "{text}");
        }
    }
}

#[test]
fn announcements_with_words_in_lower_case_are_known() {
    let cases = [
        "On Mon, Nov 3, 2025 at 10:00 AM anna berg <anna@x.example> wrote:",
        "On Mon, Nov 3, 2025 at 10:00 AM <anna@x.example> wrote:",
        "On Mon, Nov 3, 2025 at 10:00 AM The Shop <shop@x.example> wrote:",
        "On Mon, Nov 03, 2025 at 10:00:00AM +0100, Anna from Shop24 wrote:",
        "On 2025-11-03 10:00 a.m., Anna van der Berg wrote:",
        "On 03/11/2025 10:00, anna@x.example wrote:",
        "On 03/11/2025 10:00, Example customer care wrote:",
        "Le 3 nov. 2025 à 10:00, Service client a écrit :",
        "Shop with a rather long name <a@x.example> ezt írta (időpont: 2025. nov. 3., H, 10:00):",
        "On 03/11/2025 10:00, Anna de la Cruz and Sons via eBay wrote:",
        "Am Montag, dem 03.11.2025 um 10:00 +0100 schrieb Anna von der Heide:",
        "Am Montag, 3. November 2025 um 10:00:00 MEZ hat Anna Berg <anna@x.example> Folgendes geschrieben:",
        "Le lundi 3 novembre 2025 à 10:00:00 UTC+1, Anna Berg <anna@x.example> a écrit :",
        "El lunes, 3 de noviembre de 2025, 10:00:00 CET, Anna Berg <anna@x.example> escribió:",
        "El lun, 3 nov 2025 a las 10:00 a. m., Anna Berg (<anna@x.example>) escribió:",
        "Il giorno lun 3 nov 2025 alle ore 10:00 Anna Berg ha scritto:",
        "Op 3 nov. 2025 om 10:00 heeft Anna Berg <anna@x.example> het volgende geschreven:",
        "Anna Berg schreef op ma 03-11-2025 om 10:00 [+0100]:",
        "Anna Berg je napisao/la dana 3.11.2025. u 10:00:",
        "U pon, 3. stu 2025. u 10:00 Anna Berg <anna@x.example> napisao je:",
        "2025. 11. 03. 10:00 keltezéssel, Anna Berg írta:",
        "2025. nov. 3. dátummal, 10:00 időpontban Anna Berg <anna@x.example> írta:",
        "Στις 3 Νοε 2025, στις 10:00, ο/η Anna Berg έγραψε:",
        "Pada tanggal Sen, 3 Nov 2025 10.00, Anna Berg <anna@x.example> menulis:",
        "Vào lúc 10:00 03/11/2025, Anna Berg đã viết:",
        "Tarih: 3.11.2025 10:00, Anna Berg yazdı:",
        "3. 11. 2025 v 10:00, Anna Berg <anna@x.example>:",
        "su 2. marrask. 2025 klo 10.00 Anna Berg (anna@x.example) kirjoitti:",
        "在 2025/11/3 10:00, 王伟 写道:",
    ];
    for announced in cases {
        is_cut(&format!("{announced}\n> Old words.\n"));
    }
}

#[test]
fn a_greeting_alone_is_no_reply() {
    let block = "-----Original Message-----\nFrom: Shop\nSent: Monday\nTo: Anna\nSubject: Order\n\nIt has shipped.";
    let known = Known { sender_name: Some("Anna Berg"), ..about("RE: Order") };
    let alone = [
        "Hello,",
        "Hi Anna!",
        "Hello again, Shop Team,",
        "Dear Sir or Madam,",
        "Guten Tag Frau Dr. Berg,",
        "Sehr geehrte Damen und Herren,",
        "Bonjour Madame, Monsieur,",
        "Hola",
        "Buenos días, Anna:",
        "Dzień dobry",
        "Hei,",
        "Здравствуйте, Анна!",
        "您好，",
        "王先生您好：",
        "お世話になっております。",
        "안녕하세요",
        "Merhaba,",
        "שלום אנה,",
        "Anna,",
        "Hello,\n\nSent from my iPhone",
        "Hello,\n\nKind regards\nAnna Berg\nExample Ltd",
        "Mit freundlichen Grüßen, Anna\nTel. 0123",
        "Anna Berg\nExample Ltd",
        "-- \nAnna",
        "> When does it come?\n\nHello,",
    ];
    for above in alone {
        let text = format!("{above}\n\n{block}\n\nNo, it never came!\n");
        assert_eq!(reply_text(&text, &known), None, "{text}");
        let text = format!("{above}\n\nOn 3 Nov 2025, Bo wrote:\n> It has shipped.\n");
        assert_eq!(reply_text(&text, &known), None, "{text}");
    }
    let said = [
        "Hi, yes please.",
        "Hello Anna, it never came",
        "Hello,\nit never came.",
        "Hello, 4711.",
        "Highly annoying",
        "Hey Joe is what I ordered",
        "您好，请重新寄一个。",
        "Thanks!",
        "Thanks,\nAnna Berg",
        "Danke.\n\nGruß\nAnna",
        "No.\n\nSent from my iPad, and never again",
    ];
    for above in said {
        let text = format!("{above}\n\n{block}\n");
        assert_eq!(reply_text(&text, &known).as_deref(), Some(above), "{text}");
    }
}

#[test]
fn a_device_that_was_sent_is_no_last_line() {
    let cases = [
        "iPhone gönderildi.",
        "Telefon Ankara'dan gönderildi.",
        "Telefon küldve.",
        "iPhone 12 küldve",
        "Küldve: iPhone 12",
        "Lähetetty iPhone 12.",
        "Lähetetty: iPhone 12.",
        "Lähetetty iPhone Tampereelta.",
        "Lähetetty sähköpostista.",
    ];
    for line in cases {
        assert_eq!(reply(&format!("Merhaba,\n\nProblem.\n{line}\n")), None, "{line}");
    }
    let footers = [
        "iPhone'dan gönderildi",
        "Samsung Galaxy S25'ten gönderildi",
        "iPadimden gönderildi",
        "iPhone-omról küldve",
        "Küldve: iPhone-omról",
        "Lähetetty iPadista",
        "Lähetetty Windows 10:n Sähköpostista",
        "Lähetetty Outlook for Androidista",
    ];
    for footer in footers {
        is_cut(&format!("{footer}\n"));
    }
}

#[test]
fn answers_below_and_between_stay() {
    let cases = [
        ("On 3 Nov 2025, Anna wrote:\n> Really?\nYes, really.", Some("Yes, really.")),
        ("\nOn 3 Nov 2025, Anna wrote:\n> Really?\n>\n> Anna\n\nYes.\n\nNo.\n\n-- \nBo", Some("Yes.\n\nNo.")),
        (
            "On 3 Nov 2025, Anna wrote:\n> When?\nToday.\n> Where?\nHere.\n> Regards, Anna",
            Some("On 3 Nov 2025, Anna wrote:\n> When?\nToday.\n> Where?\nHere."),
        ),
        ("On 3 Nov 2025, Anna wrote:\n> When?\nToday it prints:\n> npm start", None),
        ("Hi,\n\nOn 3 Nov 2025, Anna wrote:\n> When?\nToday.\n> Where?\nHere.", None),
    ];
    for (text, expected) in cases {
        assert_eq!(reply(text).as_deref(), expected, "{text:?}");
    }
}

#[test]
fn a_forward_is_kept_whole() {
    let text = "See this.\n\nVon: A\nGesendet: Montag\nAn: B\nBetreff: x\n\nAlt.";
    assert_eq!(reply(text).as_deref(), Some("See this."));
    for subject in ["WG: x", "Fwd: Re: x", "Tr : x", "FW: x", "转发：x"] {
        assert_eq!(reply_text(text, &about(subject)), None, "{subject}");
    }
    assert_eq!(reply_text(text, &about("Re: Fwd: x")).as_deref(), Some("See this."));
}

#[test]
fn a_header_in_a_mail_that_answers_nothing_is_shown_to_us() {
    let text = "Is this real?\n\nFrom: A\nSent: Monday\nTo: B\nSubject: Win\n\nYou win.\n\nThanks.";
    let cases = [
        ("Suspicious mail", Some(false), false),
        ("Suspicious mail", Some(true), true),
        ("Suspicious mail", None, true),
        ("RE: Your order", Some(false), true),
        ("Re[2]: Your order", Some(false), true),
        ("回复：订单", Some(false), true),
    ];
    for (subject, names_answered, cut) in cases {
        let known = Known { names_answered, ..about(subject) };
        assert_eq!(reply_text(text, &known).is_some(), cut, "{subject} {names_answered:?}");
    }
}

#[test]
fn vs_is_an_answer_in_finnish_and_a_forward_in_danish() {
    let finnish = "Kyllä.\n\nLähettäjä: A\nLähetetty: maanantai\nVastaanottaja: B\nAihe: Tilaus\n\nVanha.";
    let danish = "Se her.\n\nFra: A\nSendt: mandag\nTil: B\nEmne: Ordre\n\nGammel.";
    assert_eq!(reply_text(finnish, &about("VS: Tilaus")).as_deref(), Some("Kyllä."));
    assert_eq!(reply_text(danish, &about("VS: Ordre")), None);
}

#[test]
fn a_trimmed_mark_counts_before_the_sender_s_name() {
    let known = Known { sender_name: Some("Anna Berg"), ..Known::default() };
    assert_eq!(reply_text("Yes.\n\n--\nAnna Berg\nExample Ltd", &known).as_deref(), Some("Yes."));
    assert_eq!(reply_text("Yes.\n\n--\nSecond question", &known), None);
}

fn lines() -> impl Strategy<Value = Vec<&'static str>> {
    let line = prop::sample::select(vec![
        "Yes.",
        "",
        " ",
        "> q",
        ">",
        "-- ",
        "--",
        "On 3 Nov 2025, Anna",
        "wrote:",
        "On 3 Nov, A wrote:",
        "Am 3. schrieb A:",
        "-----Original Message-----",
        "From: Anna",
        "Sent: Monday",
        "To: B",
        "Subject: x",
        "________________",
        "Sent from my iPhone",
        "Anna <a@x.example> writes:",
        "Fine:",
        "text\r",
        "---- Forwarded message ----",
        "PS: no",
    ]);
    prop::collection::vec(line, 0..16)
}

/// Words of announcements, and others between them.
fn announcement_word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "On",
        "Am",
        "the",
        "driver",
        "Anna",
        "von",
        "der",
        "3",
        "Nov",
        "2025",
        "10:30",
        "<a@x.example>",
        "<",
        "wrote",
        "schrieb",
        "wrote:",
        ":",
        "(",
        "/",
        "а",
        "年",
        "写道：",
        "your",
    ])
}

/// Words that no program writes around a reply.
fn own_words() -> impl Strategy<Value = String> {
    "([a-z]{1,8}[ ,.!?]?){0,12}(\n|\n\n)?"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_remains_was_written(lines in lines()) {
        let text = lines.join("\n");
        if let Some(kept) = reply(&text) {
            prop_assert!(!kept.trim().is_empty());
            let mut rest = text.lines();
            for line in kept.lines() {
                prop_assert!(rest.any(|given| given == line), "{line:?} of {kept:?} is not in {text:?}");
            }
        }
    }

    #[test]
    fn what_remains_has_little_left_to_cut(lines in lines()) {
        let text = lines.join("\n");
        if let Some(again) = reply(&text).and_then(|kept| reply(&kept)) {
            let kept = reply(&text).unwrap_or_default();
            prop_assert!(again.len() < kept.len() && kept.contains(&again), "{again:?} of {kept:?}");
        }
    }

    #[test]
    fn words_without_any_mark_are_never_cut(words in prop::collection::vec(own_words(), 0..12)) {
        let text = words.concat();
        prop_assert_eq!(reply(&text), None);
    }

    #[test]
    fn any_announcement_is_read(words in prop::collection::vec(announcement_word(), 0..12)) {
        let text = format!("Yes.\n\n{}\n> No.", words.join(" "));
        let kept = reply(&text);
        prop_assert!(kept.is_none() || kept.as_deref() == Some("Yes."), "{kept:?} of {text:?}");
    }

    #[test]
    fn any_text_is_read(text in "\\PC{0,200}", subject in "\\PC{0,20}") {
        let _ = reply_text(&text, &Known { subject: Some(&subject), sender_name: Some(&subject), names_answered: None });
    }
}
