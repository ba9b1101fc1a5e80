//! Two nodes send for the same companies, and one of them is behind: paused, or without a line to the database for a while.

mod support;

use std::collections::BTreeSet;

use keiin_domain::client::RegisterClient;
use keiin_domain::member::{InviteMember, RevokeInvitation};
use keiin_domain::webhook::RegisterWebhook;
use keiin_projections::mail;
use keiin_projections::webhook::delivery::{LEASE_US, Outcome, Try, finish, hold, pass, take};
use keiin_projections::webhook::endpoints;
use serde_json::json;
use support::House;

on_every_engine! {
    a_node_that_is_behind_leaves_out_nothing_that_the_other_has_not_passed
    what_fails_here_is_no_news_once_another_has_taken_it
    a_mail_that_was_withdrawn_meanwhile_is_not_sent
}

async fn a_node_that_is_behind_leaves_out_nothing_that_the_other_has_not_passed(house: House) {
    let (runner, read) = (house.runner().await, house.read());
    let owner = house.company("minato").await;
    let webhook = json!({ "url": "https://app.example/hook", "events": ["client.registered"] });
    house.run::<RegisterWebhook>(owner, None, webhook).await;
    let registered = async |count: usize| {
        for n in 0..count {
            let client = json!({ "name": format!("商会 {n}"), "honorific": "onchu" });
            house.run::<RegisterClient>(owner, None, client).await;
        }
        runner.catch_up().await.unwrap();
        endpoints(&read).unwrap().remove(0)
    };
    let endpoint = registered(2).await;
    let begin = endpoint.counts_from + 1;
    let stands = pass(&read, &endpoint, begin, house.now()).unwrap();
    assert!(stands > begin);
    // Both stand there; one goes on, and is paused; the other reads what has come since from where it stood at first.
    let endpoint = registered(3).await;
    assert_eq!(pass(&read, &endpoint, begin, house.now()).unwrap(), stands, "no further than it is written down");
    let end = pass(&read, &endpoint, stands, house.now()).unwrap();
    assert!(end > stands);
    assert_eq!(pass(&read, &endpoint, stands, house.now()).unwrap(), end, "another was faster");
    let messages = take(&read, &endpoint, house.now(), 100).unwrap();
    let positions: BTreeSet<u64> = messages.iter().map(|message| message.position).collect();
    assert_eq!((messages.len(), positions.len()), (5, 5), "each is told, and once");
}

async fn what_fails_here_is_no_news_once_another_has_taken_it(house: House) {
    let (runner, read) = (house.runner().await, house.read());
    let owner = house.company("minato").await;
    let webhook = json!({ "url": "https://app.example/hook", "events": ["client.registered"] });
    house.run::<RegisterWebhook>(owner, None, webhook).await;
    house.run::<RegisterClient>(owner, None, json!({ "name": "商会", "honorific": "onchu" })).await;
    runner.catch_up().await.unwrap();
    let endpoint = endpoints(&read).unwrap().remove(0);
    pass(&read, &endpoint, endpoint.counts_from + 1, house.now()).unwrap();
    let late = house.now() + LEASE_US + 1;
    let mine = take(&read, &endpoint, house.now(), 1).unwrap().remove(0);
    let theirs = take(&read, &endpoint, late, 1).unwrap().remove(0);
    assert!(!hold(&read, &endpoint, &mine, late).unwrap() && hold(&read, &endpoint, &theirs, late).unwrap());
    let tried = || Try { at: String::new(), status: None, took_ms: 1, answer: String::new(), error: "reset".into() };
    let came_to = |message, outcome| finish(&read, &endpoint, message, tried(), outcome, late).unwrap();
    assert_eq!(came_to(&theirs, Outcome::Delivered), None);
    assert_eq!(came_to(&mine, Outcome::Later(late)), None, "the endpoint does not fail");
    assert!(take(&read, &endpoint, late + LEASE_US, 1).unwrap().is_empty(), "it is delivered");
}

async fn a_mail_that_was_withdrawn_meanwhile_is_not_sent(house: House) {
    let (runner, read) = (house.runner().await, house.read());
    let owner = house.company("minato").await;
    let invited = json!({ "name": "佐藤", "email": "sato@minato.example", "role": "viewer" });
    let member = house.run::<InviteMember>(owner, None, invited).await;
    runner.catch_up().await.unwrap();
    let to_them = |due: &mail::Due| due.letter.to.email.as_deref() == Some("sato@minato.example");
    let due = mail::due(&read, house.now(), 10).unwrap().into_iter().find(to_them).expect("the invitation");
    let held = mail::hold(&read, &due, house.now()).unwrap().expect("it is ours");
    assert!(to_them(&held));
    house.run::<RevokeInvitation>(owner, Some(member), json!({})).await;
    runner.catch_up().await.unwrap();
    assert!(mail::hold(&read, &due, house.now()).unwrap().is_none());
}
