//! A certificate of our own making, for trials and closed networks: nobody vouches for it, so whoever connects compares
//! its fingerprint.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};

use super::files::{self, Files, Validity};
use crate::clock;
use crate::config::{BadConfig, Config};
use crate::datadir::DataDir;

/// No longer than browsers accept from anybody.
const VALID_S: u64 = 397 * 86_400;
/// For clocks that are behind ours.
const BACK_S: u64 = 86_400;

/// The one in the key directory, if it is for these hosts and holds for a while; else a new one in its place.
pub fn keep(config: &Config, data: &DataDir) -> Result<(), BadConfig> {
    let (files, keys) = (Files::of(config, data), data.keys(&config.keys));
    let hosts = hosts(config);
    if files.key.exists() && files.cert.exists() && is_good(&files, &hosts)? {
        return Ok(());
    }
    let made = make(&hosts).map_err(|e| BadConfig::new(format!("no certificate can be made for {hosts:?}: {e}")))?;
    write(&keys, &files, made).map_err(|e| {
        BadConfig::new(format!("the certificate cannot be kept in {} ({e}): may we write there?", keys.display()))
    })?;
    Ok(())
}

/// Under which names we can be reached.
fn hosts(config: &Config) -> Vec<String> {
    let mut hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let listening = [config.listen.ip(), config.admin_listen.ip()];
    hosts.extend(listening.iter().filter(|ip| !ip.is_unspecified()).map(ToString::to_string));
    hosts.extend(config.public_host().map(str::to_owned));
    let mut seen = std::collections::BTreeSet::new();
    hosts.retain(|host| seen.insert(host.clone()));
    hosts
}

fn is_good(files: &Files, hosts: &[String]) -> Result<bool, BadConfig> {
    // A key that others can read is not quietly replaced.
    let read = files.read()?;
    let Ok(usable) = read.usable() else { return Ok(false) };
    let Some(leaf) = usable.cert.first() else { return Ok(false) };
    Ok(hosts.iter().all(|host| files::is_for(leaf, host)) && Validity::of(leaf).trouble(clock::now_us()).is_none())
}

fn make(hosts: &[String]) -> Result<(String, String), rcgen::Error> {
    let now = Duration::from_micros(u64::try_from(clock::now_us()).unwrap_or(0));
    let mut params = CertificateParams::new(hosts)?;
    params.distinguished_name.push(DnType::CommonName, "Keiin, self-signed");
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + now - Duration::from_secs(BACK_S);
    params.not_after = params.not_before + Duration::from_secs(VALID_S);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

fn write(keys: &Path, files: &Files, (cert, key): (String, String)) -> std::io::Result<()> {
    if !keys.exists() {
        fs::create_dir_all(keys)?;
        fs::set_permissions(keys, Permissions::from_mode(0o700))?;
    }
    // The key first: a certificate without its key would be found by the next start, and made again.
    for (path, text) in [(&files.key, key), (&files.cert, cert)] {
        let fresh = path.with_extension("new");
        let _ = fs::remove_file(&fresh);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
    }
    fs::File::open(keys)?.sync_all()
}
