//! The bill of materials, in the form of CycloneDX 1.5: what a scanner compares with lists of known faults.

use serde_json::{Value, json};

use super::metadata::{Part, Parts};
use super::target::Target;
use super::{Job, hex};

/// The document.
pub fn document(job: &Job<'_>, target: Target, parts: &Parts) -> anyhow::Result<Vec<u8>> {
    let own = format!("skydeck@{}", job.version);
    let root = json!({
        "type": "application", "bom-ref": own, "name": "skydeck", "version": job.version,
        "licenses": [{ "license": { "id": "Apache-2.0" } }], "purl": format!("pkg:generic/{own}"),
    });
    let libraries = parts.own.iter().filter(|part| part.id() != own).chain(&parts.others);
    let components: Vec<Value> = libraries.map(component).collect();
    let dependencies: Vec<Value> =
        parts.own.iter().chain(&parts.others).map(|part| json!({ "ref": part.id(), "dependsOn": part.uses })).collect();
    let at = i64::try_from(job.epoch).ok().and_then(|at| chrono::DateTime::from_timestamp(at, 0)).unwrap_or_default();
    let mut document = json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {
            "timestamp": at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            "component": root,
            "properties": [{ "name": "skydeck:target", "value": target.for_zig() }],
        },
        "components": components, "dependencies": dependencies,
    });
    // The same parts have the same number, whenever and wherever it is written.
    let number = uuid(&hex(document.to_string().as_bytes()));
    add(&mut document, "serialNumber", number.into());
    let mut bytes = serde_json::to_vec_pretty(&document)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn component(part: &Part) -> Value {
    let mut component = json!({
        "type": "library", "bom-ref": part.id(), "name": part.name, "version": part.version,
        "licenses": [{ "expression": part.licence.replace('/', " OR ") }], "purl": format!("pkg:cargo/{}", part.id()),
    });
    if let Some(sum) = &part.checksum {
        add(&mut component, "hashes", json!([{ "alg": "SHA-256", "content": sum }]));
    }
    if !part.repository.is_empty() {
        add(&mut component, "externalReferences", json!([{ "type": "vcs", "url": part.repository }]));
    }
    component
}

fn add(object: &mut Value, name: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}

/// A UUID of version 8, the one whose bits are the maker's own.
fn uuid(hash: &str) -> String {
    let part = |from: usize, to: usize| hash.get(from..to).unwrap_or_default();
    format!("urn:uuid:{}-{}-8{}-a{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::metadata;

    #[test]
    fn what_the_program_holds_is_named_with_version_licence_and_hash_and_nothing_hangs_in_the_air() {
        let temp = tempfile::tempdir().unwrap();
        let job = Job {
            root: crate::root(),
            build: temp.path().to_path_buf(),
            epoch: 1_700_000_000,
            version: env!("CARGO_PKG_VERSION"),
        };
        let parts = metadata::parts(&job, Target::X86Gnu).unwrap();
        let bytes = document(&job, Target::X86Gnu, &parts).unwrap();
        assert_eq!(bytes, document(&job, Target::X86Gnu, &parts).unwrap());
        let bom: Value = serde_json::from_slice(&bytes).unwrap();
        let components = bom["components"].as_array().unwrap();
        let ring = components.iter().find(|part| part["name"] == "ring").unwrap();
        assert_eq!(ring["hashes"][0]["content"].as_str().unwrap().len(), 64);
        assert!(ring["purl"].as_str().unwrap().starts_with("pkg:cargo/ring@"));
        let root = &bom["metadata"]["component"]["bom-ref"];
        let known: Vec<&Value> = components.iter().map(|part| &part["bom-ref"]).chain([root]).collect();
        for row in bom["dependencies"].as_array().unwrap() {
            assert!(known.contains(&&row["ref"]), "{row}");
            assert!(row["dependsOn"].as_array().unwrap().iter().all(|used| known.contains(&used)), "{row}");
        }
        // What only builds or tests is not in it.
        for absent in ["proptest", "cc", "xtask", "tar"] {
            assert!(!components.iter().any(|part| part["name"] == absent), "{absent}");
        }
        assert_eq!(bom["serialNumber"].as_str().unwrap().len(), "urn:uuid:".len() + 36);
        assert_eq!(bom["metadata"]["timestamp"], "2023-11-14T22:13:20Z");
    }
}
