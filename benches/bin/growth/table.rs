//! The figures of every size beside each other, in the order in which they came.

use serde_json::Value;

/// What does not grow with anything, or is the size itself.
const NO_FIGURES: [&str; 4] = ["load", "events", "ledgers", "subscribers"];

/// One row a figure, one column a size.
#[derive(Default)]
pub struct Table {
    sizes: Vec<u64>,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    values: Vec<(u64, f64)>,
}

impl Table {
    /// The figures of one load at one size.
    pub fn take(&mut self, size: u64, figures: &Value) {
        if !self.sizes.contains(&size) {
            self.sizes.push(size);
        }
        let load = figures["load"].as_str().unwrap_or_default();
        for (key, value) in figures.as_object().into_iter().flatten() {
            let Some(value) = value.as_f64().filter(|_| !NO_FIGURES.contains(&key.as_str())) else { continue };
            let name = format!("{load}: {key}");
            match self.rows.iter_mut().find(|row| row.name == name) {
                Some(row) => row.values.push((size, value)),
                None => self.rows.push(Row { name, values: vec![(size, value)] }),
            }
        }
    }

    /// In Markdown; each value with its ratio to that of the smallest size.
    pub fn text(&self) -> String {
        let head: String = self.sizes.iter().map(|size| format!(" {size} |")).collect();
        let mut text = format!("| events |{head}\n|---|{}\n", "---|".repeat(self.sizes.len()));
        for row in &self.rows {
            let cells: String = self.sizes.iter().map(|size| format!(" {} |", row.cell(*size))).collect();
            text.push_str(&format!("| {} |{cells}\n", row.name));
        }
        text
    }
}

impl Row {
    fn cell(&self, size: u64) -> String {
        let at = |size| self.values.iter().find(|(of, _)| *of == size).map(|(_, value)| *value);
        match (at(size), self.values.first()) {
            (Some(value), Some((first, least))) if *first != size && *least > 0.0 => {
                format!("{value} (× {:.2})", value / least)
            }
            (Some(value), _) => value.to_string(),
            (None, _) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_value_is_shown_beside_its_ratio_to_the_smallest_size() {
        let mut table = Table::default();
        table.take(10, &json!({ "load": "grow", "events": 10, "p50_us": 4, "verdict": "verified" }));
        table.take(100, &json!({ "load": "grow", "events": 100, "p50_us": 6 }));
        table.take(100, &json!({ "load": "export", "events_per_s": 7 }));
        let rows = ["| grow: p50_us | 4 | 6 (× 1.50) |", "| export: events_per_s |  | 7 |"];
        assert_eq!(table.text(), format!("| events | 10 | 100 |\n|---|---|---|\n{}\n", rows.join("\n")));
    }
}
