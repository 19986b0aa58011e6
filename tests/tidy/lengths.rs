//! How long files and functions are: a file is a room of one purpose, a function is read at once.

use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};

use super::{files, root, sources};

/// Lines of a file at most: one room with one purpose.
const LONGEST: usize = 500;

/// The words of a language are one list, however long.
fn is_words(path: &Path) -> bool {
    let languages = root().join("crates/console/src/ui/lang");
    path.parent() == Some(&languages) && path.file_name().is_some_and(|name| name != "mod.rs")
}

#[test]
fn every_file_is_a_room_of_one_purpose() {
    let rooms = ["src", "crates", "tests", "benches", "xtask", "examples"].map(|room| root().join(room));
    let mut faults = Vec::new();
    for path in files().iter().filter(|path| path.extension().is_some_and(|e| e == "rs")) {
        let words = is_words(path);
        let shown = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        let lines = fs::read_to_string(path).unwrap().lines().count();
        if rooms.iter().any(|room| path.starts_with(room)) && !words && lines > LONGEST {
            faults.push(format!("{shown}: {lines} lines"));
        }
    }
    assert!(faults.is_empty(), "more than one purpose each?\n{}", faults.join("\n"));
}

/// Lines of a function at most, from its name to its last brace.
const LONGEST_FUNCTION: usize = 70;

/// The functions of a file that are longer than they may be, and how long.
struct LongFunctions(Vec<(String, usize)>);

impl LongFunctions {
    fn of(code: &str) -> Vec<(String, usize)> {
        let mut found = Self(Vec::new());
        visit::visit_file(&mut found, &syn::parse_file(code).unwrap());
        found.0
    }

    fn measure(&mut self, name: &syn::Ident, body: &syn::Block) {
        let lines = body.brace_token.span.close().end().line + 1 - name.span().start().line;
        if lines > LONGEST_FUNCTION {
            self.0.push((name.to_string(), lines));
        }
    }
}

impl<'ast> Visit<'ast> for LongFunctions {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.measure(&item.sig.ident, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.measure(&item.sig.ident, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.measure(&item.sig.ident, body);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

#[test]
fn every_function_is_short_enough_to_be_read_at_once() {
    let mut faults = Vec::new();
    for (path, text) in sources().into_iter().filter(|(path, _)| !is_words(path)) {
        for (name, lines) in LongFunctions::of(&text) {
            faults.push(format!("{}: {name} has {lines} lines", path.display()));
        }
    }
    assert!(faults.is_empty(), "a part of each is a function with a name of its own:\n{}", faults.join("\n"));
}

#[test]
fn a_long_function_would_be_noticed_wherever_it_stands() {
    let body = "\n    // a brace in words: }\n    let _ = \"{\";".repeat(LONGEST_FUNCTION / 2);
    let longer = LONGEST_FUNCTION + 2;
    for (code, found) in [
        (format!("/// Says why.\n#[inline]\nfn at() {{{}\n}}", "\n    x();".repeat(LONGEST_FUNCTION - 2)), None),
        (format!("fn top() {{{body}\n}}"), Some(("top", longer))),
        (format!("impl X {{ fn method(\n    self) {{{body}\n}} }}"), Some(("method", longer + 1))),
        (format!("trait X {{ fn asked(); fn given() {{{body}\n}} }}"), Some(("given", longer))),
        (format!("mod tests {{ #[test] fn inner() {{ fn deep() {{{body}\n}} }} }}"), Some(("deep", longer))),
    ] {
        let first = LongFunctions::of(&code).into_iter().next_back();
        assert_eq!(first, found.map(|(name, lines)| (name.to_owned(), lines)), "{code}");
    }
}
