//! What each operation is called.

use super::*;

fn op(name: &str) -> OpId {
    OpId::new(name)
}

#[test]
fn audit_is_called_what_it_was_called_in_0_1_0() {
    let audit = words(&OpId::default());
    assert_eq!((code(&OpId::default(), Slot::Done), audit.zh.done), ("audited", "已审核"));
    assert_eq!((code(&OpId::default(), Slot::Already), audit.en.already), ("already_audited", "already audited"));
    assert_eq!(in_sum(&OpId::default()), audit);
    for slot in Slot::ALL {
        assert_eq!(code(&OpId::default(), slot), slot.code());
    }
}

#[test]
fn every_operation_has_its_own_word_in_lists_and_the_general_one_in_sums() {
    for (name, script, already, en, zh) in [
        ("Submit", "submitted", "already_submitted", "submitted", "已提交"),
        ("BillClose", "closed", "already_closed", "closed", "已关闭"),
        ("billclose", "closed", "already_closed", "closed", "已关闭"),
        ("Forbid", "forbidden", "already_forbidden", "forbidden", "已禁用"),
        ("Enable", "enabled", "already_enabled", "enabled", "已启用"),
        ("MRPClose", "done", "already", "done", "已完成"),
    ] {
        let own = words(&op(name));
        assert_eq!((own.script.done, own.script.already), (script, already), "{name}");
        assert_eq!((own.en.done, own.zh.done), (en, zh), "{name}");
        let sum = in_sum(&op(name));
        assert_eq!(
            (sum.en.done, sum.en.already, sum.zh.done, sum.zh.already),
            ("done", "already done", "已完成", "此前已完成")
        );
        assert_eq!((code(&op(name), Slot::Done), code(&op(name), Slot::Already)), ("done", "already"), "{name}");
    }
}

#[test]
fn sentences_name_what_is_done() {
    for (name, en, zh, call) in [
        ("", "Audit 24 bills", "审核 24 张单据", "审核"),
        ("Submit", "Submit 24 bills", "提交 24 张单据", "提交"),
        ("BillClose", "Close 24 bills (BillClose)", "关闭 24 张单据（BillClose）", "关闭（BillClose）"),
        ("Foo", "Execute Foo on 24 bills", "对 24 张单据执行 Foo", "执行操作 Foo"),
    ] {
        assert_eq!((deed_en(&op(name), "24").as_str(), deed_zh(&op(name), "24").as_str()), (en, zh));
        assert_eq!(call_zh(&op(name)), call);
    }
    assert_eq!((call_zh_short(&op("BillClose")), call_zh_short(&op("Foo"))), ("关闭", "Foo"));
    assert_eq!((call_en(&op("")), call_en(&op("Submit")), call_en(&op("Foo"))), ("audit", "submit", "Foo"));
    assert_eq!(none_en(&op("BillClose"), "4"), "None of the 4 bills can be closed now");
    assert_eq!(none_en(&op("Foo"), "4"), "None of the 4 bills can be called with Foo now");
    assert_eq!(none_zh(&op("Foo"), "4"), "本批 4 张现在都不能执行 Foo");
    assert_eq!(none_en(&op(""), "1"), "The one bill cannot be audited now");
    assert_eq!(doing_en(&op("Foo"), "1"), "executing Foo on 1 bill");
    assert_eq!(will_en(&op("BillClose"), "2"), "will close 2 bills (BillClose)");
}

#[test]
fn the_log_tells_a_sum_as_in_0_1_0_and_every_other_operation_in_general_words() {
    let sum = Tally { found: 9, audited: 3, already: 1, failed: 2, not_reached: 3, ..Tally::default() };
    assert_eq!(
        sum_en(&op("BillClose"), &sum),
        "found 9 = done 3 + already done 1 + skipped 0 + failed 2 + unknown 0 + not reached 3"
    );
    let sum = Tally { found: 6, not_reached: 0, ..sum };
    assert_eq!(sum_en(&op(""), &sum), "found 6 = audited 3 + already 1 + skipped 0 + failed 2 + unknown 0");
}

#[test]
fn no_word_means_two_columns() {
    for slot in Slot::ALL {
        for word in column_names(slot).iter().copied().chain(OWN.iter().flat_map(|own| own_names(own, slot))) {
            let meant: Vec<Slot> =
                Slot::ALL.into_iter().filter(|slot| is_ever_called(*slot, |name| name == word)).collect();
            assert_eq!(meant, [slot], "{word}");
        }
    }
}

#[test]
fn the_name_of_a_column_is_read_in_chinese_as_a_name_of_the_same_column() {
    for (name, zh) in [("failed", "失败"), ("done", "已完成"), ("already", "此前已完成"), ("not_reached", "未轮到")]
    {
        assert_eq!(column_zh(name), Some(zh));
    }
    // What people typed, and an operation's own word, stand as they are.
    assert_eq!(["audited", "失败", "B", "closed"].map(column_zh), [None; 4]);
}
