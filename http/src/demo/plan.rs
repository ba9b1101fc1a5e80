//! When what happens in the demonstration: the two weeks before now, as a list in the order of time. Pure.

use super::content::{Course, EMILY, Fate, GUESTS, HANAKO, KEN, MAKOTO, PAPERS, TARO, origin};

const MINUTE_US: i64 = 60_000_000;
const HOUR_US: i64 = 60 * MINUTE_US;
const DAY_US: i64 = 24 * HOUR_US;
/// How long ago it begins.
pub const LENGTH_US: i64 = 14 * DAY_US;

/// One thing that happens. Numbers are indices into the lists of `content`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    SignUp,
    ChangeTenant,
    Invite(usize),
    Accept(usize),
    PairKiosk(usize),
    RegisterClient(usize),
    ChangeClient(usize),
    /// What is sold often.
    Catalog,
    /// An invoice of each month, by itself.
    Monthly,
    WrongPassword(usize),
    LogOut(usize),
    /// Somebody tries what their role does not allow.
    Denied(usize),
    IssueToken,
    RevokeToken,
    /// A mail in the company's own words.
    MailTexts,
    /// Two letters.
    Post,
    /// A recipient registers and gets something into their inbox and on paper.
    Inbox,
    /// Two people run the service.
    Operators,
    /// Somebody who runs the service asks to look: once in full, once waiting for the company's word.
    Support(usize),
    /// A program is registered, and its owner connects it.
    Connect,
    RotateKey,
    Draft(usize),
    SetLines(usize),
    ChangeDocument(usize),
    AskApproval(usize),
    Issue(usize),
    Send(usize),
    Open(usize),
    /// The link's time is over.
    Expire(usize),
    /// Opening a link that is closed.
    OpenInVain(usize),
    Revoke(usize),
    /// Percent of the total.
    Pay(usize, i64),
    Correct(usize),
    CancelDocument(usize),
    RegisterVisit(usize),
    MoveVisit(usize),
    CancelVisit(usize),
    CheckIn(usize),
    CheckOut(usize),
    EraseVisitor(usize),
}

/// The days of the demonstration.
#[derive(Clone, Copy)]
pub struct Calendar {
    /// The real time at which it is made.
    pub now_us: i64,
}

impl Calendar {
    /// A time of day in Japan; day 14 is today.
    pub fn at(self, day: i64, hour: i64, minute: i64) -> i64 {
        let zone_us = keiin_domain::date::ZONE_S * 1_000_000;
        let midnight = (self.now_us + zone_us).div_euclid(DAY_US) * DAY_US - zone_us;
        midnight + (day - 14) * DAY_US + hour * HOUR_US + minute * MINUTE_US
    }

    fn start(self, minutes: i64) -> i64 {
        self.now_us - LENGTH_US + minutes * MINUTE_US
    }

    fn ago(self, minutes: i64) -> i64 {
        self.now_us - minutes * MINUTE_US
    }

    /// From when to when a visit is planned.
    pub fn visit(self, guest: usize) -> (i64, i64) {
        let half_hour = |us: i64| us.div_euclid(30 * MINUTE_US) * 30 * MINUTE_US;
        let (day, hour) = GUESTS[guest].when;
        match GUESTS[guest].course {
            Course::Here => (half_hour(self.ago(60)), half_hour(self.ago(60)) + 2 * HOUR_US),
            Course::Soon => (half_hour(self.ago(-30)), half_hour(self.ago(-30)) + HOUR_US),
            _ => (self.at(day, hour, 0), self.at(day, hour + 1, 0)),
        }
    }
}

/// Everything, in the order of time: nothing before the start, nothing after now.
pub fn plan(calendar: Calendar) -> Vec<(i64, Step)> {
    let mut steps = vec![];
    company(calendar, &mut steps);
    for paper in 0..PAPERS.len() {
        document(calendar, paper, &mut steps);
    }
    for guest in 0..GUESTS.len() {
        visit(calendar, guest, &mut steps);
    }
    for (i, (at, _)) in steps.iter_mut().enumerate() {
        // Nobody acts on the full minute. Everything is after the company's set-up, which takes an hour, and before now.
        let seconds = (i as i64 * 37) % 50;
        *at = (*at + seconds * 1_000_000).clamp(calendar.start(0), calendar.ago(2));
    }
    steps.sort_by_key(|(at, _)| *at);
    steps
}

fn company(calendar: Calendar, steps: &mut Vec<(i64, Step)>) {
    let (start, at) = (|m| calendar.start(m), |day, hour, minute| calendar.at(day, hour, minute));
    steps.extend([(start(0), Step::SignUp), (start(2), Step::Operators), (start(4), Step::ChangeTenant)]);
    for (i, person) in [KEN, EMILY, MAKOTO, TARO].into_iter().enumerate() {
        let i = i as i64;
        steps.extend([(start(6 + i), Step::Invite(person)), (start(15 + 3 * i), Step::Accept(person))]);
    }
    steps.extend([(start(28), Step::PairKiosk(0)), (start(30), Step::PairKiosk(1))]);
    steps.extend((0..super::content::CLIENTS).map(|i| (start(32 + 3 * i as i64), Step::RegisterClient(i))));
    steps.extend([
        (at(3, 11, 0), Step::IssueToken),
        (at(5, 10, 20), Step::Catalog),
        (at(12, 16, 40), Step::Monthly),
        (at(5, 13, 30), Step::Connect),
        (start(54), Step::MailTexts),
        (calendar.ago(40), Step::Post),
        (calendar.ago(35), Step::Inbox),
        (at(4, 16, 10), Step::ChangeClient(2)),
        (at(6, 8, 55), Step::WrongPassword(EMILY)),
        (at(7, 20, 0), Step::RotateKey),
        (at(8, 10, 30), Step::Denied(TARO)),
        (at(9, 18, 0), Step::RevokeToken),
        (at(10, 13, 30), Step::Support(0)),
        (calendar.ago(50), Step::Support(1)),
        (at(9, 18, 5), Step::LogOut(HANAKO)),
    ]);
}

fn document(calendar: Calendar, paper: usize, steps: &mut Vec<(i64, Step)>) {
    let (day, fate) = (PAPERS[paper].day, PAPERS[paper].fate);
    // Each paper has its own minute, so that no two things happen at once.
    let minute = (paper as i64 * 7) % 30;
    let mut then = |after: i64, hour: i64, more: i64, step| {
        steps.push((calendar.at(day + after, hour, minute + more), step));
    };
    then(0, 9, 10, Step::Draft(paper));
    if fate == Fate::Draft {
        return;
    }
    if fate == Fate::Asked {
        then(0, 16, 0, Step::AskApproval(paper));
        return;
    }
    if fate == Fate::Edited || paper.is_multiple_of(3) && origin(paper).is_none() {
        then(0, 10, 0, Step::SetLines(paper));
    }
    if fate == Fate::Edited {
        then(1, 10, 0, Step::ChangeDocument(paper));
        return;
    }
    then(0, 11, 0, Step::Issue(paper));
    if fate == Fate::Issued {
        return;
    }
    if fate == Fate::Cancelled {
        then(1, 15, 0, Step::CancelDocument(paper));
        return;
    }
    then(0, 11, 10, Step::Send(paper));
    match fate {
        Fate::Sent(views) => (0..views).for_each(|view| then(1, 9 + 3 * i64::from(view), 20, Step::Open(paper))),
        // Sent for two days.
        Fate::Expired => {
            then(2, 11, 15, Step::Expire(paper));
            then(3, 10, 0, Step::OpenInVain(paper));
        }
        Fate::Revoked => {
            then(0, 14, 0, Step::Revoke(paper));
            then(0, 16, 0, Step::OpenInVain(paper));
        }
        Fate::Paid => {
            then(1, 10, 0, Step::Open(paper));
            then(3, 14, 0, Step::Pay(paper, 100));
        }
        Fate::PartPaid => {
            then(1, 10, 0, Step::Open(paper));
            then(4, 14, 0, Step::Pay(paper, 50));
        }
        Fate::Overdue => then(2, 10, 0, Step::Open(paper)),
        Fate::Corrected => {
            then(1, 9, 0, Step::Open(paper));
            then(2, 13, 0, Step::Correct(paper));
            then(2, 13, 5, Step::Send(paper));
            then(3, 9, 0, Step::Open(paper));
        }
        Fate::Bounced | Fate::Draft | Fate::Asked | Fate::Edited | Fate::Issued | Fate::Cancelled => {}
    }
}

fn visit(calendar: Calendar, guest: usize, steps: &mut Vec<(i64, Step)>) {
    let (starts, ends) = calendar.visit(guest);
    let (day, _) = GUESTS[guest].when;
    let minute = (guest as i64 * 11) % 50;
    let walk_in = matches!(GUESTS[guest].course, Course::WalkIn | Course::WalkInHere);
    if !walk_in {
        // The afternoon before; the first ones as soon as the company is set up.
        let registered = calendar.at(day.min(14) - 1, 16, minute).max(calendar.start(55 + guest as i64));
        steps.push((registered, Step::RegisterVisit(guest)));
    }
    let came = starts + (minute % 13 - 6) * MINUTE_US;
    let in_and_out = |came: i64| [(came, Step::CheckIn(guest)), (ends - 7 * MINUTE_US, Step::CheckOut(guest))];
    match GUESTS[guest].course {
        Course::Kiosk | Course::Typed | Course::Desk | Course::WalkIn => steps.extend(in_and_out(came)),
        Course::Erased => {
            steps.extend(in_and_out(came));
            steps.push((calendar.at(day + 4, 17, 0), Step::EraseVisitor(guest)));
        }
        Course::Late => steps
            .extend([(ends + 20 * MINUTE_US, Step::CheckIn(guest)), (ends + 70 * MINUTE_US, Step::CheckOut(guest))]),
        Course::Moved => steps.extend([
            (starts - 2 * HOUR_US, Step::MoveVisit(guest)),
            (starts + 55 * MINUTE_US, Step::CheckIn(guest)),
            (ends + 50 * MINUTE_US, Step::CheckOut(guest)),
        ]),
        Course::Cancelled => steps.push((starts - 4 * HOUR_US, Step::CancelVisit(guest))),
        Course::Here => steps.push((starts + 4 * MINUTE_US, Step::CheckIn(guest))),
        Course::WalkInHere => steps.push((calendar.ago(20), Step::CheckIn(guest))),
        Course::NoShow | Course::Soon | Course::Expected => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every half hour of a day, across the end of a year.
    fn calendars() -> impl Iterator<Item = Calendar> {
        (0..48).map(|i| Calendar { now_us: 1_798_761_600_000_000 + i * 30 * MINUTE_US + 17_000_000 })
    }

    #[test]
    fn nothing_happens_before_the_start_or_after_now() {
        for calendar in calendars() {
            let steps = plan(calendar);
            assert!(steps.iter().all(|(at, _)| (calendar.start(0)..calendar.now_us).contains(at)));
            assert_eq!(steps[0].1, Step::SignUp);
        }
    }

    #[test]
    fn causes_come_before_effects_at_every_time_of_day() {
        for calendar in calendars() {
            let steps: Vec<Step> = plan(calendar).into_iter().map(|(_, step)| step).collect();
            let place = |step: Step| steps.iter().position(|s| *s == step);
            let ordered = |a: Step, b: Step| match (place(a), place(b)) {
                (Some(a), Some(b)) => a < b,
                (_, None) => true,
                (None, Some(_)) => false,
            };
            for (paper, planned) in PAPERS.iter().enumerate() {
                assert!(ordered(Step::RegisterClient(planned.client), Step::Draft(paper)));
                assert!(ordered(Step::Draft(paper), Step::Issue(paper)));
                assert!(ordered(Step::Draft(paper), Step::AskApproval(paper)));
                assert!(ordered(Step::Issue(paper), Step::Send(paper)));
                if let Some(origin) = origin(paper) {
                    assert!(ordered(Step::Issue(origin), Step::Draft(paper)));
                    let paid = Step::Pay(origin, 100);
                    assert!(place(paid).is_none() || ordered(paid, Step::Draft(paper)));
                }
                assert!(ordered(Step::Send(paper), Step::Open(paper)));
            }
            for guest in (0..GUESTS.len()).filter(|g| place(Step::RegisterVisit(*g)).is_some()) {
                assert!(ordered(Step::PairKiosk(1), Step::RegisterVisit(guest)));
                assert!(ordered(Step::RegisterVisit(guest), Step::CheckIn(guest)));
                assert!(ordered(Step::CheckIn(guest), Step::CheckOut(guest)));
            }
        }
    }
}
