use super::*;
use crate::role::Role;
use crate::testing::*;

/// A company with two members.
fn house() -> Scene {
    let member =
        |name: &str, id| crate::member::Registered { person: sealed(id, &person(name, "")), role: Role::Member };
    scene().given::<Member>(ANNA, member("杏奈", ANNA)).given::<Member>(BEN, member("ベン", BEN))
}

fn words(ja: &str, en: &str) -> GivenWords {
    GivenWords { ja: ja.into(), en: en.into() }
}

fn question(field: Field, label: &str) -> GivenQuestion {
    let label = words(label, label);
    GivenQuestion { field, label, choices: vec![], walk_in: true, check_in: false, required: field == Field::Name }
}

fn change(questions: Vec<GivenQuestion>) -> ChangeReception {
    let consent = GivenWords::default();
    ChangeReception {
        questions,
        consent,
        walk_ins: true,
        check_outs: true,
        hosts: HostNames::Nobody,
        shown_hosts: vec![],
    }
}

/// One choice of two, with these words.
fn choice(first: GivenWords, second: GivenWords) -> ChangeReception {
    let choice = GivenQuestion { choices: vec![first, second], ..question(Field::Choice, "昼食") };
    change(vec![question(Field::Name, ""), choice])
}

#[test]
fn rn_c22_a_reception_asks_in_its_own_order_and_words() {
    let name = GivenQuestion { label: GivenWords::default(), ..question(Field::Name, "") };
    let car =
        GivenQuestion {
            label: words(" 車で来ましたか ", "By car?"), check_in: true, ..question(Field::YesNo, "")
        };
    let consent = words("撮影を控えます。", "I will take no pictures.");
    let hosts = HostNames::Chosen;
    let sent = ChangeReception { consent, hosts, shown_hosts: vec![BEN, ANNA, BEN], ..change(vec![car, name]) };
    let kept = |field, ja: &str, en: &str, check_in, required| Question {
        field,
        label: Words { ja: ja.into(), en: en.into() },
        choices: vec![],
        walk_in: true,
        check_in,
        required,
    };
    let changed = Changed {
        questions: vec![
            kept(Field::YesNo, "車で来ましたか", "By car?", true, false),
            kept(Field::Name, "お名前", "Name", false, true),
        ],
        consent: Some(Consent {
            words: Words { ja: "撮影を控えます。".into(), en: "I will take no pictures.".into() },
            hash: hash("撮影を控えます。\nI will take no pictures."),
        }),
        walk_ins: true,
        check_outs: true,
        hosts: HostNames::Chosen,
        shown_hosts: vec![ANNA, BEN],
    };
    let s = house().when(TENANT, sent.clone()).then([emit::<Reception>(TENANT, changed)]);
    s.when(TENANT, sent).then([]);
}

#[test]
fn whoever_is_not_chosen_is_not_shown() {
    let hosts = |hosts| house().when(TENANT, ChangeReception { hosts, shown_hosts: vec![ANNA], ..change(named()) });
    let shown = |given| {
        let reception = hosts(given).accepted().now::<Reception>(TENANT);
        [reception.shows(ANNA), reception.shows(BEN)]
    };
    assert_eq!(shown(HostNames::Chosen), [true, false]);
    assert_eq!(shown(HostNames::Everybody), [true, true]);
    assert_eq!(shown(HostNames::Nobody), [false, false]);
}

fn named() -> Vec<GivenQuestion> {
    vec![question(Field::Name, "お名前"), question(Field::Company, "会社")]
}

#[test]
fn nobody_asks_as_long_as_nobody_said_so() {
    let fresh = Reception::default();
    assert!(fresh.0.walk_ins && fresh.0.check_outs && fresh.0.consent.is_none() && !fresh.shows(ANNA));
    assert!(fresh.demands(Field::Name) && !fresh.demands(Field::Company));
    assert_eq!(fresh.answers(Asked::CheckIn, &[]), Ok(None));
}

#[test]
fn every_refusal() {
    let many = (0..=QUESTIONS_MAX).map(|n| question(Field::Text, &format!("質問{n}"))).collect();
    let s = scene().when(TENANT, change(many)).refused_at("reception.too_many_questions", "/questions");
    let twice = vec![question(Field::Name, "お名前"), question(Field::Name, "別名")];
    let s = s.when(TENANT, change(twice)).refused_at("reception.same_question", "/questions/1/label");
    let twice = vec![question(Field::Name, "お名前"), question(Field::Text, "お名前")];
    let s = s.when(TENANT, change(twice)).refused_at("reception.same_question", "/questions/1/label");
    let text = GivenQuestion { choices: vec![words("a", "a"), words("b", "b")], ..question(Field::Text, "靴") };
    let s = s.when(TENANT, change(vec![text])).refused_at("reception.bad_choices", "/questions/0/choices");
    let none = vec![question(Field::Choice, "昼食")];
    let s = s.when(TENANT, change(none)).refused_at("reception.bad_choices", "/questions/0/choices");
    let s = s.when(TENANT, choice(words("要る", "Yes"), words("要らない", "Yes")));
    let s = s.refused_at("reception.bad_choices", "/questions/1/choices/1");
    let s = s.when(TENANT, choice(words("要る", "Yes"), words("", "No")));
    let s = s.refused_at("text.required", "/questions/1/choices/1/ja");
    let host = GivenQuestion { check_in: true, ..question(Field::Host, "訪問先") };
    let s = s.when(TENANT, change(vec![host])).refused_at("reception.host_is_known", "/questions/0/check_in");
    let s = s.when(TENANT, change(vec![])).refused_at("reception.name_required", "/questions");
    let hosts = (0..=HOSTS_MAX as u128).map(Uuid::from_u128).collect();
    let shown = ChangeReception { hosts: HostNames::Chosen, shown_hosts: hosts, ..change(named()) };
    let s = s.when(TENANT, shown).refused_at("reception.too_many_hosts", "/shown_hosts");
    let nobody = ChangeReception { hosts: HostNames::Nobody, shown_hosts: vec![ANNA], ..change(named()) };
    let s = s.when(TENANT, nobody).refused_at("visit.unknown_host", "/shown_hosts/0");
    let own = vec![question(Field::Text, "")];
    let s = s.when(TENANT, change(own)).refused_at("text.required", "/questions/0/label/ja");
    let s = refuses_bad_text(s, TENANT, "/questions/0/label/en", false, 80, |en| {
        change(vec![GivenQuestion { label: GivenWords { ja: "靴".into(), en }, ..question(Field::Text, "") }])
    });
    let s = refuses_bad_text(s, TENANT, "/consent/ja", false, 4_000, |ja| ChangeReception {
        consent: GivenWords { ja, en: "I agree.".into() },
        ..change(named())
    });
    let half = ChangeReception { consent: words("同意します。", ""), ..change(named()) };
    s.when(TENANT, half).refused_at("text.required", "/consent/en");
    covered::<ChangeReception>();
}

/// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
pub fn samples() -> Vec<ReceptionEvent> {
    let words = |ja: &str, en: &str| Words { ja: ja.into(), en: en.into() };
    let choices = vec![words("要る", "Yes"), words("要らない", "No")];
    let label = words("昼食", "Lunch");
    let consent = Consent { words: words("同意します。", "I agree."), hash: [0xcd; 32] };
    let question = Question { field: Field::Choice, label, choices, walk_in: true, check_in: true, required: false };
    let mut questions = Reception::default().0.questions;
    questions.push(question);
    let (walk_ins, check_outs, hosts, shown_hosts) = (true, true, HostNames::Chosen, vec![SAMPLE_ID]);
    vec![Changed { questions, consent: Some(consent), walk_ins, check_outs, hosts, shown_hosts }.into()]
}
