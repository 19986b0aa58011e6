//! What is certain of a bill before it is called: that the ERP refuses it again.
//!
//! Invariant: only what the ERP itself said counts, of this bill in this revision or of this period; nothing is guessed, and
//! nothing is held back for it.

use serde::{Deserialize, Serialize};

use crate::domain::cause::{Cause, known};
use crate::domain::language::Language;

/// Why a bill that waits will be refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Will {
    /// This revision was refused by the same call, for a cause that repeating does not cure.
    Again(Cause),
    /// Its date is not after one that was refused as being in a closed period, and none so early went through since.
    Closed {
        /// That date, `2026-10-31`.
        upto: String,
    },
}

impl Will {
    /// The cause of the refusal that is to come.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Again(cause) => cause.clone(),
            Self::Closed { .. } => Cause::new(known::PERIOD),
        }
    }

    /// Words of a filter that mean it, besides its cause.
    pub const NAMES: [&str; 6] = ["fail", "failed", "refused", "will", "失败", "将被拒绝"];

    /// In words. `cause`: what people call a cause.
    pub fn words(&self, lang: Language, cause: &dyn Fn(&Cause) -> String) -> String {
        match (self, lang) {
            (Self::Again(why), Language::En) => format!("will fail: {}, and the bill did not change since", cause(why)),
            (Self::Again(why), Language::Zh) => format!("将被拒绝：{}，此后未修改", cause(why)),
            (Self::Closed { upto }, Language::En) => {
                format!("will fail: dated in a period that is closed up to {upto}")
            }
            (Self::Closed { upto }, Language::Zh) => format!("将被拒绝：单据日期所在期间已关账至 {upto}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_will_be_refused_says_why_in_both_languages() {
        let cause = |cause: &Cause| cause.as_str().to_uppercase();
        let again = Will::Again(Cause::new("validation"));
        let closed = Will::Closed { upto: "2026-10-31".into() };
        assert_eq!(again.words(Language::En, &cause), "will fail: VALIDATION, and the bill did not change since");
        assert!(closed.words(Language::Zh, &cause).contains("2026-10-31"));
        assert_eq!((again.cause(), closed.cause()), (Cause::new("validation"), Cause::new("period")));
    }
}
