//! Series of numbers: the boundary `series/<fingerprint of type and year>`. A number is taken in the same append as the
//! issue, so a series has no gaps and no number twice.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::command::{Aggregate, Emit, On};
use crate::context::Context;
use crate::document::DocumentType;
use crate::events;

events! {
    /// What happens to a series.
    SeriesEvent {
        NumberTaken = "series.number_taken" v 1;
    }
}

/// The next number went to a document.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NumberTaken {
    /// From 1, without gaps.
    pub number: u32,
    /// Who has it.
    pub document: Uuid,
}

/// State of a series.
#[derive(Debug, Default)]
pub struct Series {
    /// The last number taken; 0 before the first.
    pub last: u32,
}

impl Aggregate for Series {
    type Event = SeriesEvent;
    const STREAM: &'static str = "series";
    const LAST: bool = true;
    fn apply(&mut self, event: SeriesEvent) {
        let SeriesEvent::NumberTaken(taken) = event;
        self.last = taken.number;
    }
    #[cfg(test)]
    fn samples() -> Vec<SeriesEvent> {
        tests::samples()
    }
}

/// The series of today's documents of a type.
pub fn series_id(document_type: DocumentType, ctx: &mut Context) -> Uuid {
    let series = format!("{}/{}", document_type.name(), ctx.today.ymd().0);
    ctx.world.fingerprint("series", &series)
}

impl On<Series> {
    /// The next number and the event that takes it.
    pub fn take(&self, document: Uuid) -> (u32, Emit) {
        let number = self.last + 1;
        (number, self.emit(NumberTaken { number, document }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
    pub fn samples() -> Vec<SeriesEvent> {
        vec![NumberTaken { number: 1, document: SAMPLE_ID }.into()]
    }
}
