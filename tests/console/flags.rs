//! Prompts of the ERP that nobody was there to answer: which flag answers one is said beside the refusal, and the approval offers
//! what the plan carries.

use skydeck::domain::bill::{BillState, Failure, Outcome};
use skydeck::domain::cause::Cause;
use skydeck::domain::command::Command;
use skydeck::domain::run::Flag;
use skydeck::ui::Lang;

use crate::world::{Console, World, console, text};

#[test]
fn the_flag_that_answers_a_prompt_stands_beside_the_refusal() {
    let prompt = |cause: &str, message: &str| {
        BillState::Settled(Outcome::Failed(Failure {
            cause: Cause::new(cause),
            msg_code: Some(11),
            field: Some("AbstractInteractionResult".into()),
            message: message.into(),
        }))
    };
    for (lang, cause, message, said) in [
        (Lang::En, "interaction", "存在记录不符合价格来源检查控制条件，是否继续？", "flag SAL_CHECKPRICESOURCEFB"),
        (Lang::Zh, "stock", "更新库存时出现可以忽略的异常数据，是否继续？", "交互标志 STK_InvCheckResult"),
    ] {
        let mut world = World::new(false);
        world.bills[1].state = prompt(cause, message);
        let mut c = Console::new(world, lang, (120, 36)).working();
        c.keys("3j");
        assert!(text(&c).contains(said), "{}", text(&c));
        c.keys("j");
        assert!(!text(&c).contains(said), "of another bill: {}", text(&c));
    }
}

#[test]
fn flags_want_a_reason_and_make_the_ladder_steeper() {
    let mut c = console().collected();
    c.wait(500);
    c.keys("i");
    c.wait(500);
    c.keys(" <Enter>");
    assert!(text(&c).contains("Enter a reason"));
    c.keys("<Tab>month end<Enter>");
    assert!(text(&c).contains("Type the number of bills, 12"));
    c.wait(500);
    c.keys("12<Enter>");
    let Command::Approve { flags, reason, typed, .. } = &c.orders[1] else { panic!() };
    assert_eq!(
        (flags.as_slice(), reason.as_deref()),
        ([Flag("STK_InvCheckResult".into())].as_slice(), Some("month end"))
    );
    assert_eq!(typed.as_deref(), Some("12"));
}
