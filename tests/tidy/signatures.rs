//! What functions ask for: one with many parameters, or with another's state to write into, does more than its name says.

use std::collections::BTreeSet;

use syn::visit::{self, Visit};

use super::{root, sources};

/// Parameters of a function at most, itself counted; those with more are counted.
const MOST: usize = 4;

/// A room, how many of its functions have more parameters than that, and how many are lent a struct of ours to change. The
/// numbers only fall.
const ROOMS: [(&str, usize, usize); 16] = [
    ("crates/annals/src", 15, 12),
    ("crates/console/src", 30, 201),
    ("crates/core/src", 2, 0),
    ("crates/engine/src", 7, 6),
    ("crates/export/src", 2, 4),
    ("crates/forecast/src", 6, 0),
    ("crates/http/src", 1, 2),
    ("crates/ipc/src", 1, 0),
    ("crates/kingdee/src", 5, 0),
    ("crates/plan/src", 12, 121),
    ("crates/sim/src", 19, 13),
    ("crates/store-postgres/src", 1, 3),
    ("crates/store-testkit/src", 1, 3),
    ("crates/store/src", 11, 65),
    ("crates/term/src", 0, 0),
    ("src", 20, 15),
];

/// Functions of a file by name: those with many parameters, and those that change what another has.
#[derive(Default)]
struct Signatures<'a> {
    structs: Option<&'a BTreeSet<String>>,
    wide: Vec<String>,
    lent: Vec<String>,
}

impl Signatures<'_> {
    fn look(&mut self, sig: &syn::Signature) {
        if sig.inputs.len() > MOST {
            self.wide.push(sig.ident.to_string());
        }
        let is_lent = sig.inputs.iter().any(|input| match input {
            syn::FnArg::Typed(typed) => self.is_ours(&typed.ty),
            syn::FnArg::Receiver(_) => false,
        });
        if is_lent {
            self.lent.push(sig.ident.to_string());
        }
    }

    /// Whether a type is `&mut` of a struct that is defined here.
    fn is_ours(&self, ty: &syn::Type) -> bool {
        let syn::Type::Reference(reference) = ty else { return false };
        let syn::Type::Path(path) = reference.elem.as_ref() else { return false };
        let name = path.path.segments.last().map(|segment| segment.ident.to_string());
        reference.mutability.is_some() && name.is_some_and(|name| self.structs.is_some_and(|all| all.contains(&name)))
    }
}

impl<'ast> Visit<'ast> for Signatures<'_> {
    fn visit_signature(&mut self, sig: &'ast syn::Signature) {
        self.look(sig);
        visit::visit_signature(self, sig);
    }
}

/// The structs that a file defines.
struct Structs(BTreeSet<String>);

impl<'ast> Visit<'ast> for Structs {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.0.insert(item.ident.to_string());
    }
}

fn of<'a>(code: &str, structs: &'a BTreeSet<String>) -> Signatures<'a> {
    let mut found = Signatures { structs: Some(structs), ..Signatures::default() };
    visit::visit_file(&mut found, &syn::parse_file(code).unwrap());
    found
}

fn structs_of<'a>(codes: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let mut structs = Structs(BTreeSet::new());
    codes.for_each(|code| visit::visit_file(&mut structs, &syn::parse_file(code).unwrap()));
    structs.0
}

#[test]
fn no_more_functions_ask_for_much_or_change_what_another_has() {
    let all = sources();
    let structs = structs_of(all.iter().map(|(_, text)| text.as_str()));
    let mut faults = Vec::new();
    for (room, most_wide, most_lent) in ROOMS {
        let (mut wide, mut lent) = (Vec::new(), Vec::new());
        for (path, text) in all.iter().filter(|(path, _)| path.starts_with(root().join(room))) {
            let shown = path.strip_prefix(root()).unwrap().display().to_string();
            let found = of(text, &structs);
            wide.extend(found.wide.iter().map(|name| format!("{shown}: {name}")));
            lent.extend(found.lent.iter().map(|name| format!("{shown}: {name}")));
        }
        for (what, found, most) in
            [("more than four parameters", wide, most_wide), ("a `&mut` of ours", lent, most_lent)]
        {
            if found.len() > most {
                faults.push(format!(
                    "{} functions in {room:?} with {what}, {most} before:\n{}",
                    found.len(),
                    found.join("\n")
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_room_has_its_numbers() {
    let crates = std::fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().file_name());
    let rooms: BTreeSet<String> = crates.map(|name| format!("crates/{}/src", name.display())).collect();
    let named: BTreeSet<String> =
        ROOMS.iter().map(|(room, _, _)| (*room).to_owned()).filter(|room| room != "src").collect();
    assert_eq!(rooms, named);
}

#[test]
fn such_functions_would_be_noticed_wherever_they_stand() {
    let code = "struct Set; struct Own<T>(T);
        fn few(a: u8, b: u8, c: u8, d: u8) {}
        fn many(a: u8, b: u8, c: u8, d: u8, e: u8) {}
        impl Set { fn method(&mut self, a: u8, b: u8, c: u8, d: u8) {} fn fills(&self, set: &mut Set) {} }
        trait X { fn asked(a: u8, own: &mut Own<u8>); }
        fn foreign(into: &mut Vec<Set>, set: &Set) { fn inner(set: &mut crate::Set) {} }";
    let structs = structs_of([code].into_iter());
    let found = of(code, &structs);
    assert_eq!(found.wide, ["many", "method"]);
    assert_eq!(found.lent, ["fills", "asked", "inner"]);
}
