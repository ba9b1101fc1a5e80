//! How long documents must be kept: seven years, ten where a loss is carried forward, from the day after the tax return of
//! their fiscal year is due, two months after its end (Corporation Tax Act, Enforcement Regulations 59).

use crate::date::Date;

/// The last day on which a document of this date must still be there.
pub fn until(date: Date, fiscal_year_end: u8, years: u8) -> Date {
    let (year, month, _) = date.ymd();
    let end = u32::from(fiscal_year_end.clamp(1, 12));
    let ends_in = if month <= end { year } else { year + 1 };
    // The month after the one in which the return is due, less a day.
    let (year, month) = match end + 3 {
        month @ ..=12 => (ends_in, month),
        month => (ends_in + 1, month - 12),
    };
    Date::of(year + i32::from(years), month, 1).plus(-1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_count_from_when_the_return_is_due() {
        let cases = [
            ((2026, 11, 2), 3, 7, (2034, 5, 31)),
            ((2027, 3, 31), 3, 7, (2034, 5, 31)),
            ((2027, 4, 1), 3, 7, (2035, 5, 31)),
            ((2026, 11, 2), 12, 10, (2037, 2, 28)),
            ((2026, 12, 31), 12, 7, (2034, 2, 28)),
            ((2029, 1, 1), 12, 10, (2040, 2, 29)),
            ((2026, 10, 31), 10, 7, (2033, 12, 31)),
            ((2026, 10, 31), 9, 7, (2034, 11, 30)),
        ];
        for ((y, m, d), end, years, (uy, um, ud)) in cases {
            assert_eq!(until(Date::of(y, m, d), end, years), Date::of(uy, um, ud), "{y}-{m}-{d} {end}");
        }
    }
}
