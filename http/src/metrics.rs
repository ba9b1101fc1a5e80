//! Figures for operators, in Prometheus' text format on the admin port.

use std::sync::OnceLock;
use std::time::Duration;

use axum::http::Method;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::app::App;

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// Starts counting; once a process.
pub fn start() -> anyhow::Result<()> {
    let seconds = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 30.0];
    let name = Matcher::Full("keiin_request_seconds".into());
    let handle = PrometheusBuilder::new().set_buckets_for_metric(name, &seconds)?.install_recorder()?;
    let _ = HANDLE.set(handle);
    Ok(())
}

/// The rendered figures' source, if counting was started.
pub fn handle() -> Option<&'static PrometheusHandle> {
    HANDLE.get()
}

/// One answered request. `area` is the first segment of its path, or `other`: callers cannot invent series.
pub fn count(method: &Method, area: &str, status: u16, took: Duration) {
    const AREAS: [&str; 9] = ["v1", "log", "assets", "do", "l", "pass", "kiosk", "login", "audit"];
    let area = if AREAS.contains(&area) { area } else { "other" };
    let labels = [("method", method.to_string()), ("area", area.to_owned()), ("status", status.to_string())];
    metrics::counter!("keiin_requests_total", &labels).increment(1);
    metrics::histogram!("keiin_request_seconds", "area" => area.to_owned()).record(took.as_secs_f64());
}

/// Figures that are looked up rather than counted.
pub async fn observe(app: &App) {
    metrics::gauge!("keiin_event_streams").set(app.feed.open() as f64);
    if let Ok(stopped) = app.runner.stopped() {
        metrics::gauge!("keiin_projections_stopped").set(stopped.len() as f64);
    }
    if let Some(last) = app.scrubbing.last() {
        metrics::gauge!("keiin_scrub_began_timestamp_seconds").set(last.began_us as f64 / 1e6);
        metrics::gauge!("keiin_scrub_seconds").set(last.seconds);
        metrics::gauge!("keiin_scrub_events").set(last.events as f64);
        metrics::gauge!("keiin_scrub_damaged_ledgers").set(last.damage.len() as f64);
    }
    let behind = app.scrubbing.is_behind(&app.config.scrub);
    metrics::gauge!("keiin_scrub_behind").set(f64::from(u8::from(behind)));
    for (of, bytes) in crate::room::free(&app.data) {
        metrics::gauge!("keiin_disk_free_bytes", "of" => of).set(bytes as f64);
    }
    metrics::gauge!("keiin_disk_full").set(f64::from(u8::from(crate::room::is_full())));
    if let Ok(due) = crate::operator::reviews_due(app) {
        metrics::gauge!("keiin_operator_reviews_due").set(due as f64);
    }
    metrics::gauge!("keiin_refused_ledgers").set(app.anchorer.refusals().len() as f64);
    if let Ok(tenants) = app.tenants().await {
        metrics::gauge!("keiin_tenants").set(tenants.len() as f64);
    }
}
