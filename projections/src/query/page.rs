//! Pages of lists, newest first.

use keiin_eventlog::sql::{Row, SqlError};

use super::{Filter, Listing, OURS, Params, Read, Refusal, Who};
use crate::table::{Value, cell};

/// Where a list's items are found: rows that hold the item's `id` and its `since`, in an index that holds whatever the filter
/// asks for and is in this order, so that what is not on the page is neither looked up nor sorted.
#[derive(Clone, Debug)]
pub struct Source<'a> {
    /// A table, or a select in parentheses.
    pub rows: &'a str,
    /// Which of them; they are called `t`.
    pub filter: Filter,
    /// Rows that one item has at most.
    pub each: usize,
}

impl Source<'_> {
    /// The ids and places of its first items, and its values.
    fn first(self, items: usize) -> (String, Vec<Value>) {
        let Source { rows, filter: Filter { sql, mut values }, each } = self;
        values.push(cell((items * each) as u64));
        let first = format!(
            "SELECT o.since, o.id FROM (SELECT t.since, t.id FROM {rows} t WHERE {OURS}{sql}
             ORDER BY t.since DESC, t.id DESC LIMIT ?) o"
        );
        (first, values)
    }
}

/// The first items of these sources, called `s`, with room for one number: how many. Each item once.
pub(crate) fn first(sources: Vec<Source>, items: usize) -> (String, Vec<Value>) {
    let (parts, values): (Vec<_>, Vec<_>) = sources.into_iter().map(|source| source.first(items)).unzip();
    let sql = format!("SELECT s.id FROM ({}) s ORDER BY s.since DESC, s.id DESC LIMIT ?", parts.join(" UNION "));
    (sql, values.concat())
}

impl Read {
    /// A page of a list, sorted by the columns `since` and `id` of `from`, largest first.
    pub fn list<T>(
        &self,
        who: &Who,
        from: &str,
        filter: Filter,
        params: &Params,
        read: impl FnMut(&Row) -> Result<T, SqlError>,
    ) -> Result<Listing<T>, Refusal> {
        let wanted = params.limit() + 1;
        let filter = self.behind(filter, params)?;
        let found = self.some(who, from, filter, wanted, placed(read))?;
        Ok(self.page(found, params))
    }

    /// The same, where the page's items are first found in `sources`, and `from` is asked only for them.
    pub fn list_within<T>(
        &self,
        who: &Who,
        mut sources: Vec<Source<'_>>,
        from: &str,
        params: &Params,
        read: impl FnMut(&Row) -> Result<T, SqlError>,
    ) -> Result<Listing<T>, Refusal> {
        let wanted = params.limit() + 1;
        for source in &mut sources {
            source.filter = self.behind(std::mem::take(&mut source.filter), params)?;
        }
        let (ids, mut values) = first(sources, wanted);
        values.push(cell(wanted as u64));
        // The plus keeps the planner from looking for the few rows in the order of all.
        let sql = format!("SELECT * FROM {from} t WHERE {OURS} AND t.id IN ({ids}) ORDER BY +t.since DESC, t.id DESC");
        let found = self.rows(who, &sql, values, placed(read))?;
        Ok(self.page(found, params))
    }

    /// What comes after the cursor, if there is one.
    fn behind(&self, mut filter: Filter, params: &Params) -> Result<Filter, Refusal> {
        if let Some(cursor) = params.text("cursor") {
            let (since, id) = crate::cursor::open(&self.cursor_key, cursor).ok_or(Refusal::BadParameter("cursor"))?;
            filter.sql.push_str(" AND (t.since, t.id) < (?, ?)");
            filter.values.extend([Value::Integer(since), id]);
        }
        Ok(filter)
    }

    /// One more was asked for than the page holds: is it there, another page follows.
    fn page<T>(&self, mut found: Vec<(Place, T)>, params: &Params) -> Listing<T> {
        let more = found.len() > params.limit();
        found.truncate(params.limit());
        let next =
            found.last().filter(|_| more).map(|((since, id), _)| crate::cursor::seal(&self.cursor_key, *since, id));
        Listing { items: found.into_iter().map(|(_, item)| item).collect(), next, counts: None, figures: None }
    }
}

/// Where an item stands in its list.
type Place = (i64, Value);

fn placed<T>(mut read: impl FnMut(&Row) -> Result<T, SqlError>) -> impl FnMut(&Row) -> Result<(Place, T), SqlError> {
    move |row| Ok(((row.named("since")?, row.value("id")?.clone()), read(row)?))
}
