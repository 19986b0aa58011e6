//! The units beside the program, held against what systemd 219 knows.

use std::collections::{BTreeMap, BTreeSet};

/// Directives by section.
const KNOWN: &str = include_str!("systemd-219.txt");
/// Values that 219 does not know, of directives that it does: `ProtectSystem=strict` protects nothing there.
const VALUES: [(&str, &[&str]); 3] = [
    ("ProtectSystem", &["yes", "no", "true", "false", "full"]),
    ("ProtectHome", &["yes", "no", "true", "false", "read-only"]),
    ("Type", &["simple", "forking", "oneshot", "dbus", "notify", "idle"]),
];

fn known() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut sections: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut section = "";
    for line in KNOWN.lines().filter(|line| !line.starts_with('#')) {
        match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(name) => section = name,
            None => sections.entry(section).or_default().extend(line.split_whitespace()),
        }
    }
    sections
}

/// What of a unit 219 would not take.
fn faults(unit: &str) -> Vec<String> {
    let (known, mut section, mut faults) = (known(), "", Vec::new());
    for line in unit.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';'])) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name;
            continue;
        }
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        if !known.get(section).is_some_and(|names| names.contains(name)) {
            faults.push(format!("[{section}] {name}"));
        }
        let values = VALUES.iter().find(|(of, _)| *of == name).map(|(_, values)| *values);
        if values.is_some_and(|values| !values.contains(&value)) {
            faults.push(line.to_owned());
        }
        // A path may be led by `-`, from 231 on by `+` and `!` too.
        if name.starts_with("Exec") && !value.trim_start_matches('-').starts_with('/') {
            faults.push(line.to_owned());
        }
    }
    faults
}

#[test]
fn units_name_the_packaged_program_and_use_what_systemd_219_knows() {
    let dir = crate::root().join("contrib/systemd");
    let mut seen = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let unit = std::fs::read_to_string(&path).unwrap();
        assert_eq!(faults(&unit), Vec::<String>::new(), "{}", path.display());
        assert!(unit.contains("\nExecStart=/usr/bin/skydeck "), "{}", path.display());
        assert!(unit.contains("\nType=notify\n") && unit.contains("\nTimeoutStopSec=45\n"), "{}", path.display());
        seen += 1;
    }
    assert_eq!(seen, 2);
}

#[test]
fn what_is_newer_than_systemd_219_is_found() {
    for (unit, fault) in [
        ("[Service]\nStateDirectory=skydeck\n", "[Service] StateDirectory"),
        ("[Service]\nLockPersonality=yes\n", "[Service] LockPersonality"),
        ("[Service]\n  LoadCredential = x:/y\n", "[Service] LoadCredential "),
        ("[Unit]\nStartLimitIntervalSec=3\n", "[Unit] StartLimitIntervalSec"),
        ("[Unit]\nType=notify\n", "[Unit] Type"),
        ("[Service]\nProtectSystem=strict\n", "ProtectSystem=strict"),
        ("[Service]\nType=exec\n", "Type=exec"),
        ("[Service]\nExecStartPre=+/usr/bin/install\n", "ExecStartPre=+/usr/bin/install"),
        ("[Service]\nExecStart=skydeck serve\n", "ExecStart=skydeck serve"),
    ] {
        assert_eq!(faults(unit), [fault], "{unit}");
    }
    assert!(faults("# StateDirectory=x\n[Service]\nExecStop=-/bin/true\nUMask=0077\n").is_empty());
}
