//! A client in each row of a table, in columns of any order with names in Japanese or English.

use keiin_domain::client::{ContactInput, Honorific, RegisterClient};
use keiin_formats::csv::Record;

use crate::import::{Column, Rows, column};
use crate::problem::Problem;

/// Every column that is read.
pub const COLUMNS: &[Column] = &[
    column("name", "取引先名", "Name", &["名称", "会社名", "氏名", "client name", "company"]),
    column("reading", "ふりがな", "Reading", &["フリガナ", "よみがな", "カナ", "kana"]),
    column("honorific", "敬称", "Honorific", &[]),
    column(
        "registration_number",
        "登録番号",
        "Registration number",
        &["適格請求書発行事業者登録番号", "インボイス番号"],
    ),
    column("registration_number_override", "登録番号の確認理由", "Registration number override", &[]),
    column("postal_code", "郵便番号", "Postal code", &["zip", "postcode"]),
    column("region", "都道府県", "Prefecture", &["region"]),
    column("locality", "市区町村", "City", &["locality"]),
    column("street_address", "番地", "Street address", &["町名・番地", "住所"]),
    column("extended_address", "建物名", "Building", &["建物", "extended address"]),
    column("contact_name", "担当者", "Contact", &["担当者名", "contact name"]),
    column("contact_reading", "担当者ふりがな", "Contact reading", &["担当者フリガナ"]),
    column("contact_department", "部署", "Department", &["担当者部署"]),
    column("contact_email", "メールアドレス", "Email", &["メール", "email address", "e-mail"]),
    column("contact_phone", "電話番号", "Telephone", &["電話", "phone"]),
];

/// A file's rows, if they have names.
pub fn read(bytes: &[u8]) -> Result<Rows, Problem> {
    Rows::read(bytes, COLUMNS, &["name"], "import.no_name_column")
}

/// A row as the API takes it, and its honorific: none, if it is neither of the two. Then it is taken for a person's, whose
/// rules are the milder ones.
pub fn client(rows: &Rows, row: &Record) -> (RegisterClient, Option<Honorific>) {
    let text = |field: &str| rows.text(row, field);
    let honorific = match text("honorific").trim() {
        "" | "御中" | "onchu" => Some(Honorific::Onchu),
        "様" | "sama" => Some(Honorific::Sama),
        _ => None,
    };
    let contact = ContactInput {
        id: None,
        name: text("contact_name"),
        reading: text("contact_reading"),
        department: text("contact_department"),
        email: text("contact_email"),
        phone: text("contact_phone"),
    };
    let client = RegisterClient {
        name: text("name"),
        honorific: honorific.unwrap_or(Honorific::Sama),
        registration_number: text("registration_number"),
        postal_code: text("postal_code"),
        region: text("region"),
        locality: text("locality"),
        street_address: text("street_address"),
        extended_address: text("extended_address"),
        reading: text("reading"),
        registration_number_override: text("registration_number_override"),
        contacts: vec![contact],
    };
    (client, honorific)
}

/// Puts something that is right into a field, so that what else is wrong with the row shows. False if it is no column's.
pub fn mend(client: &mut RegisterClient, field: &str) -> bool {
    let RegisterClient { contacts, .. } = client;
    let contact = contacts.first_mut();
    let (text, right) = match (field, contact) {
        ("name", _) => (&mut client.name, "x"),
        ("registration_number", _) => (&mut client.registration_number, ""),
        ("registration_number_override", _) => (&mut client.registration_number_override, ""),
        ("postal_code", _) => (&mut client.postal_code, ""),
        ("region", _) => (&mut client.region, ""),
        ("locality", _) => (&mut client.locality, ""),
        ("street_address", _) => (&mut client.street_address, ""),
        ("extended_address", _) => (&mut client.extended_address, ""),
        ("reading", _) => (&mut client.reading, ""),
        ("contact_name", Some(contact)) => (&mut contact.name, "x"),
        ("contact_reading", Some(contact)) => (&mut contact.reading, ""),
        ("contact_department", Some(contact)) => (&mut contact.department, ""),
        ("contact_email", Some(contact)) => (&mut contact.email, "x@example.jp"),
        ("contact_phone", Some(contact)) => (&mut contact.phone, ""),
        _ => return false,
    };
    *text = right.to_owned();
    true
}

/// The field that a rule's pointer names: `/contacts/0/email` is `contact_email`.
pub fn field_of(pointer: &str) -> String {
    let field = pointer.trim_start_matches('/');
    field.strip_prefix("contacts/0/").map_or_else(|| field.to_owned(), |part| format!("contact_{part}"))
}

#[cfg(test)]
mod tests {
    use keiin_formats::csv::Encoding;

    use super::*;
    use crate::import::{ROWS_MAX, template};
    use crate::locale::Lang;

    #[test]
    fn titles_in_both_languages_and_any_order_are_understood() {
        let file = "メール;社内番号;会社名;敬称\r\nA@b.jp;17;'=HYPERLINK(1);様\r\n;;B;殿\r\n".as_bytes();
        let clients = read(file).unwrap();
        assert_eq!((clients.place("name"), clients.place("region"), clients.rows.len()), (Some(3), None, 2));
        let (first, known) = client(&clients, &clients.rows[0]);
        assert_eq!(known, Some(Honorific::Sama));
        assert_eq!((first.name.as_str(), first.honorific), ("=HYPERLINK(1)", Honorific::Sama));
        assert_eq!(first.contacts[0].email, "A@b.jp");
        assert_eq!(client(&clients, &clients.rows[1]).1, None);
        for lang in Lang::ALL {
            let file = template(COLUMNS, lang).write(Encoding::Cp932).bytes;
            assert!(read(&file).unwrap().columns.iter().all(Option::is_some));
        }
    }

    #[test]
    fn every_column_can_be_mended() {
        let clients = read("name\nA\n".as_bytes()).unwrap();
        let (mut client, _) = client(&clients, &clients.rows[0]);
        let mut columns = COLUMNS.iter().filter(|column| column.field != "honorific");
        assert!(columns.all(|column| mend(&mut client, column.field)));
        assert!(!mend(&mut client, "") && !mend(&mut client, "contacts"));
    }

    #[test]
    fn a_file_that_makes_no_sense_is_refused_as_a_whole() {
        let code = |file: &[u8]| read(file).map(|_| ()).unwrap_err().code;
        assert_eq!(code(b""), "import.no_name_column");
        assert_eq!(code(b"a,b\n1,2\n"), "import.no_name_column");
        assert_eq!(code("name,会社名\n".as_bytes()), "import.column_twice");
        assert_eq!(code(b"name\n\xFF\xFE\n"), "import.unreadable");
        assert_eq!(code(b"name\na\0b\n"), "import.unreadable");
        assert_eq!(code(b"name\n\"a\n"), "import.open_quote");
        let long = format!("name\n{}", "a\n".repeat(ROWS_MAX + 1));
        assert_eq!(code(long.as_bytes()), "import.too_many_rows");
    }
}
