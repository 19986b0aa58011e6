//! Every sentence that the store has in its code has a Chinese one.

use std::fs;
use std::path::Path;

use crate::english::sentences;

/// The sentences that the store's code has in literals, with what is put into them left out.
fn stored() -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/store/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    let mut found = Vec::new();
    // What a reader of MessagePack expects is a part of what the library would say.
    let is_code =
        |file: &&std::path::PathBuf| !file.ends_with("tests.rs") && !file.iter().any(|part| part == "msgpack");
    for file in files.iter().filter(is_code) {
        let code = fs::read_to_string(file).unwrap();
        let code = code.split("#[cfg(test)]").next().unwrap();
        // A literal that goes on in the next line, in one.
        let code: String = code.split("\\\n").map(str::trim_start).collect();
        for call in ["damaged(", "refused(", "say(", "bad(", "wrong(", "foreign(", "Err(", "Bad("] {
            for rest in code.split(call).skip(1) {
                let before = rest.split('"').next().unwrap();
                let text = rest
                    .split('"')
                    .nth(1)
                    .filter(|text| text.contains(' ') && !before.contains([';', '}']) && !before.contains("tracing"));
                found.extend(text.map(|text| {
                    text.split('{').map(|part| part.rsplit('}').next().unwrap()).collect::<Vec<_>>().join("7")
                }));
            }
        }
    }
    found
}

#[test]
fn every_sentence_of_the_store_is_known_in_chinese() {
    let found = stored();
    assert!(found.len() > 40, "{}", found.len());
    // Some are the beginning of a sentence, or stand before what the system says.
    let ends =
        ["", ": 7", " stands there, not a file: move it away", " would not be the same; nothing was pruned", "; 7"];
    let known = |en: &&String| {
        ends.iter().any(|end| sentences(&skydeck::store::words::chinese(&format!("{en}{end}"))).is_empty())
    };
    // Parts of sentences that are whole elsewhere, and what another library says.
    let parts = ["7 stands there", "7: use the newer program", "could not acquire lock", "(7): 7, and it goes on"];
    let known = |en: &&String| known(en) || parts.iter().any(|part| en.contains(part));
    let left: Vec<&String> = found.iter().filter(|en| !known(en)).collect();
    assert!(left.is_empty(), "{left:#?}");
}
