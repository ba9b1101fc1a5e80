//! Conditions of a list.

use uuid::Uuid;

use crate::search;
use crate::table::{Cell, Value, cell};

/// Conditions of one list, in SQL and values. The list's rows are called `t`.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

impl Filter {
    /// Every row of the company.
    pub fn new() -> Filter {
        Filter::default()
    }

    /// Narrows by a condition with one `?`, if there is a value.
    pub fn and(mut self, condition: &str, value: Option<impl Cell>) -> Filter {
        if let Some(value) = value {
            self.sql.push_str(" AND ");
            self.sql.push_str(condition);
            self.values.push(cell(value));
        }
        self
    }

    /// Only rows whose column is one of these; `None` = all.
    pub fn among(mut self, column: &str, ids: Option<Vec<Uuid>>) -> Filter {
        if let Some(ids) = ids {
            let places = vec!["?"; ids.len()].join(", ");
            self.sql.push_str(&if ids.is_empty() {
                " AND 1 = 0".into()
            } else {
                format!(" AND {column} IN ({places})")
            });
            self.values.extend(ids.into_iter().map(cell));
        }
        self
    }

    /// Narrows by a condition in which each `{in}` stands for "is one of these".
    pub fn any_of(mut self, condition: &str, ids: Vec<Uuid>) -> Filter {
        let places = if ids.is_empty() { "NULL".to_owned() } else { vec!["?"; ids.len()].join(", ") };
        self.sql.push_str(" AND ");
        self.sql.push_str(&condition.replace("{in}", &format!("IN ({places})")));
        let times = condition.matches("{in}").count();
        self.values.extend(ids.iter().cycle().take(times * ids.len()).map(|id| cell(*id)));
        self
    }

    /// Narrows to rows in whose folded text (see [`crate::search`]) this stands. Each `?` of the condition is the pattern.
    pub fn search(mut self, condition: &str, text: Option<&str>) -> Filter {
        let Some(pattern) = text.map(search::pattern) else { return self };
        self.sql.push_str(&format!(" AND ({condition})"));
        self.values.extend(std::iter::repeat_n(cell(pattern), condition.matches('?').count()));
        self
    }

    /// Narrows to rows that have the text in one of these columns.
    pub fn like(self, columns: &[&str], text: Option<&str>) -> Filter {
        let pattern = |text: &str| format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
        let joined: Vec<String> = columns.iter().map(|c| format!("coalesce(t.{c}, '')")).collect();
        let joined = joined.join(" || '\n' || ");
        // Engines differ in which letters they fold by themselves: here it is A to Z.
        self.and(&format!("lower({joined}) LIKE ? ESCAPE '\\'"), text.map(|text| pattern(&text.to_ascii_lowercase())))
    }
}
