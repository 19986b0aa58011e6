//! All texts, in two languages. A text that is missing in one of them does not compile.
//!
//! Invariant: the same places to fill stand in both languages.

use skydeck_core::domain::access::Role;
use skydeck_core::domain::action_words;
use skydeck_core::domain::group_words;
use skydeck_core::domain::language::Language;

use super::config::Lang;
use super::keymap::{Action, Scope};

pub mod en;
pub mod zh;

/// Declares the texts once; both languages must give each.
macro_rules! texts {
    ($($name:ident)*) => {
        /// The texts of one language; `{}` are places to fill.
        #[derive(Debug)]
        pub(crate) struct Texts {
            $(pub $name: &'static str,)*
        }

        #[cfg(test)]
        impl Texts {
            fn all(&self) -> Vec<(&'static str, &'static str)> {
                vec![$((stringify!($name), self.$name),)*]
            }
        }
    };
}

texts! {
    move_column column_at_end column_fixed column_lost
    then_today
    no_way_back last_columns then_pause
    then_ledger then_results paused_by_itself wants_second head_second note_more reopen_last reopen_title reopened shared_unlock unlocked_by_other flags_can flags_none
    sorts_nothing no_such_key
    bill_now bill_said bill_not_sent bill_no_answer bill_do bill_whose bill_story story_ordered story_approved
    runs_empty runs_empty_newest history_no_match help_runs help_runs_1 help_runs_2 help_runs_3
    find_title find_hint find_many find_missing find_none find_partly find_waits find_scanning reach_title
    reach_asks reach_ask reach_finds reach_leaves_out reach_not_there
    from_day_short unresolved_of at_today at_yesterday today_looked today_since today_quiet today_silent today_silent_why all_plans chart_title chart_told
    chart_bad col_runs col_done col_gained col_solved col_open_short col_stuck col_next_short col_went_through span_title span_what
    accepted account_set all_marked
    all_unresolved approve_hint approved approved_reading bad_date day_ahead bad_day
    absent bad_number bill_none bill_none_2 bill_unknown bills body_cut body_gone breaker breaker_off breaker_on breaker_open by_status call cannot_read
    carried carried_over unchanged probes ev_probe changed col_advice col_age col_attempts col_by col_count col_day col_kind col_message col_next col_no
    col_oldest col_open col_outcome col_plan col_reason col_result col_state col_took col_trend close_it columns_title sort_by show_hide sort_up sort_down sorted_first col_what col_when col_who colon
    collecting_started compare_cut compare_newer compare_newly compare_none compare_nothing compare_older compare_open compare_other
    compare_passing compare_same compare_still compare_title compare_unjudged concurrency confirm_count confirm_do confirm_env confirm_locked confirm_nothing confirm_read confirm_record
    bodies bodies_only bodies_first bodies_none bodies_title by_key unmade same_key not_compared
    confirm_title confirm_yes count count_none counted_first
    counting decline_short decline_what declined denied due due_in eligible engine_gone environment done_at not_before erp_clock eta ev_approved ev_deferred ev_next_step
    ev_done ev_found ev_gone ev_no_answer ev_not_sent ev_read ev_refused_all_the_same ev_rejected ev_reopened ev_resolved ev_run_opened ev_settled
    ev_tried ev_tried_rev export_run export_ledger export_history path_hint export_filter export_title exporting failed failed_short fate_out
    fate_read fate_tried fate_verified filter_column_lost filter_do filter_empty filter_empty_2 filter_forgotten view_gone view_shown filter_label filter_looked filter_name filter_recall
    filter_save filter_saved flag_answers flag_hint flag_stripped flags_short flags_title flags_what form_cancel form_change
    form_do form_next forecast_title forecast_behind forecast_none forecast_no_alarm forecast_keys forecast_close format format_report found frozen frozen_set group_empty ledger_stem history_stem handover_stem handover_title handover_what handover_since handover_writing group_of hash hazards hazards_n health
    help_close help_filter help_filter_1 help_filter_2 help_more help_outcome_1 help_outcome_2 help_outcome_3
    help_outcome_3_other help_outcome_6 help_outcome_4 help_outcome_5 help_outcomes help_prefix help_title history_none history_none_2 jump_date jump_oldest jump_title jump_what keys kind_fresh kind_range
    kind_retry kind_verify last_run latency latency_none latency_reads ledger_none ledger_none_2 left_waiting lock_short locked
    log_line log_none mark mark_none marked_fewer matched meaning modified more_groups n_due n_flying n_marked not_reached not_reached_short name next next_none no_answer no_decline
    no_default no_later no_run no_run_in_view no_run_of_plan no_run_further not_now not_here notices_none notices_title numbers numbers_hint likely listed listed_unknown listed_outside odd_answer
    older_left_out oldest open operation pace pace_set pace_title palette_none palette_title paste_cut paste_too_long path path_wanted pause_breaker
    pause_canary pause_operator pause_stopped pause_store pause_unreachable pausing per_min per_minute per_s place
    plan plan_broken plan_never plans_none plans_none_2 policy policy_batch policy_no_submit policy_overlap
    policy_submit policy_sweep production queue_awaiting queue_collecting queue_none queue_none_2 queue_nothing
    quit_busy quit_busy_2 quit_idle quit_title quote_open quote_close read_only always_read_only held range_of reading reason reason_hint
    reason_wanted recent_failures refused refused_busy refused_not_confirmed refused_nothing refused_read_only
    refused_role second_person second_hint consented refused_store reloading remedy remedy_hint remedy_alone request resolve_title resolved resolved_before response results_empty results_pruned quicker results_none results_none_2
    resume_short resume_title resume_what resume_what_2 resuming retry_at retry_busy retry_do retry_nothing retry_title
    retry_what begins_with revision revision_lost revision_newest revision_newest_is revision_original revision_original_is
    revision_which run run_awaiting run_cancelled run_clean run_collect_failed run_collecting run_declined
    run_empty run_failed run_interrupted run_paused run_settling run_skipped run_some_skipped run_stopped run_unknown run_with_title run_working
    said_by_0_1_0 scan_stopped scanning server_time server_time_ahead session set since since_hint skipped skipped_short slowed slowed_held status status_c
    status_answer status_as_found status_before status_before_call status_gone status_open status_read status_unread status_made status_source status_when_read
    step_audit step_fetch step_n step_operate step_push step_save step_send step_submit step_verify stop_title stop_what stop_what_2
    stopping submitted_first sum sweep sweep_hint thaw_short too_small trying unknown untold nothing_read run_collected collects collected_sum untold_sum unknown_old unknown_short unlock_title unlock_what
    unlocked until until_hint unresolved_n verified verify_title verify_do verify_nothing verify_what waiting waiting_short waved which
    will_fail will_verify
    write
}

impl Lang {
    /// All texts.
    pub(crate) fn texts(self) -> &'static Texts {
        match self {
            Self::Zh => &zh::TEXTS,
            Self::En => &en::TEXTS,
        }
    }

    /// An action in words: short for the footer, long for help.
    pub fn action(self, action: Action) -> (&'static str, &'static str) {
        match self {
            Self::Zh => zh::action(action),
            Self::En => en::action(action),
        }
    }

    /// A place in words.
    pub fn scope(self, scope: Scope) -> &'static str {
        match self {
            Self::Zh => zh::scope(scope),
            Self::En => en::scope(scope),
        }
    }

    /// The same of the floors below.
    pub fn language(self) -> Language {
        match self {
            Self::Zh => Language::Zh,
            Self::En => Language::En,
        }
    }

    /// Word of a skip or of a way of not knowing; `None` for a cause of a failure.
    pub fn group(self, name: &str) -> Option<&'static str> {
        group_words::word(self.language(), name)
    }

    /// A role.
    pub(crate) fn role(self, role: Role) -> &'static str {
        self.language().t(role.name(), role.zh())
    }

    /// How a client signs in.
    pub fn sign_in(self, how: &str) -> String {
        match (self, how) {
            (Self::Zh, "signed headers") => "签名方式".to_owned(),
            (Self::Zh, "app secret") => "应用密钥".to_owned(),
            (Self::Zh, "app signature") => "应用签名".to_owned(),
            (Self::Zh, "password") => "密码".to_owned(),
            (Self::Zh, "no sign-in") => "无需登录".to_owned(),
            (Self::Zh, "signed requests") => "请求签名".to_owned(),
            (Self::Zh, "bearer token") => "固定令牌".to_owned(),
            (Self::Zh, "basic") => "基本认证".to_owned(),
            (Self::Zh, "app token") => "应用令牌".to_owned(),
            (_, how) => how.to_owned(),
        }
    }

    /// Where a session stands, as the client tells it: how it signs in, and what came of it.
    pub(crate) fn session(self, said: &str) -> String {
        if self == Self::En {
            return said.to_owned();
        }
        let Some((how, state)) = said.split_once(": ") else { return self.sign_in(said) };
        let how = self.sign_in(how);
        match state {
            "accepted" => format!("正常（{how}）"),
            "not proven yet" => format!("尚未验证（{how}）"),
            "not signed in" => format!("未登录（{how}）"),
            "a token is held" => format!("已有令牌（{how}）"),
            "no token is held" => format!("尚无令牌（{how}）"),
            other => match (other.strip_prefix("signed in as "), other.strip_prefix("refused: ")) {
                (Some(user), _) => format!("已登录 {user}（{how}）"),
                (None, Some(why)) => format!("ERP 拒绝：“{why}”（{how}）"),
                (None, None) => format!("{other}（{how}）"),
            },
        }
    }

    /// A verb of the action log.
    pub fn verb(self, name: &str) -> Option<&'static str> {
        action_words::verb(name).map(|verb| self.language().t(verb.en, verb.zh))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_have_the_same_places_to_fill_and_nothing_is_empty() {
        for ((name, en), (_, zh)) in Lang::En.texts().all().into_iter().zip(Lang::Zh.texts().all()) {
            assert!(!en.is_empty() && !zh.is_empty(), "{name}");
            assert_eq!(en.matches('{').count(), zh.matches('{').count(), "{name}");
        }
    }

    #[test]
    fn a_session_is_told_in_chinese_with_the_servers_own_words_quoted() {
        for (said, zh) in [
            ("signed headers: accepted", "正常（签名方式）"),
            ("signed headers: not proven yet", "尚未验证（签名方式）"),
            ("app secret: not signed in", "未登录（应用密钥）"),
            ("password: signed in as wang.li", "已登录 wang.li（密码）"),
            ("app signature: refused: user: locked", "ERP 拒绝：“user: locked”（应用签名）"),
            ("app token: a token is held", "已有令牌（应用令牌）"),
            ("app token: no token is held", "尚无令牌（应用令牌）"),
            ("bearer token", "固定令牌"),
            ("no sign-in", "无需登录"),
            ("basic", "基本认证"),
            ("signed requests: refused: sign", "ERP 拒绝：“sign”（请求签名）"),
        ] {
            assert_eq!((Lang::Zh.session(said).as_str(), Lang::En.session(said).as_str()), (zh, said));
        }
    }
}
