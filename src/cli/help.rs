//! The words of `--help` and of wrong usage in Chinese; clap's own are those of English.
//!
//! Invariant: a verb or option that has no row here is found by the test below, not by an operator.

use std::ffi::OsString;

use clap::builder::PossibleValuesParser;
use clap::error::{ContextKind, ErrorKind};
use clap::{Arg, Command, CommandFactory, FromArgMatches};

use super::args::Cli;
use super::output;
use crate::boot;
use crate::domain::language::Language;

/// What each verb does, by its path; under the root: the program.
const VERBS: &[(&str, &str)] = &[
    ("", "金蝶云星空（K/3Cloud）集成方案的终端运维控制台。"),
    ("demo", "在内置金蝶模拟器上打开控制台，使用随附方案"),
    ("run", "运行方案：读取、批准、审核、核实"),
    ("retry", "重试遗留单据"),
    ("verify", "从 ERP 回查结果未知和失败的单据，说明其结果；不做任何写入调用"),
    ("approve", "批准等待中的本批清单：留待批准的，或还差一人批准的"),
    ("resume", "继续中断或暂停的运行"),
    ("cancel", "停止中断或暂停的运行；未轮到的单据留在遗留清单"),
    ("ledger", "所有运行的遗留单据，按原因分组"),
    ("resolve", "写明理由，办结遗留单据"),
    ("reopen", "写明理由，撤销办结"),
    ("history", "运行记录，最新在前；指定运行则列出其单据"),
    ("bill", "一张单据的全部经过"),
    ("export", "将单据写入文件"),
    ("report", "写运行报告：按原因列出单据，写明由谁处理、如何处理"),
    ("handover", "交接：新增和减少的遗留，等待谁处理，作了哪些决定"),
    ("evidence", "给审计人员的运行证据：谁批准了什么、每次调用，且不用 Skydeck 也能核对"),
    ("log", "操作日志：谁下令、为何、结果如何"),
    ("log verify", "核对两条校验链，以及文件与流水是否记录相同的行"),
    ("log head", "核对后打印两者的链首，另行保存在本机无人能改之处"),
    ("log accept", "操作日志与流水不一致时按现状接受；在此之前不会启动运行（需要批准人权限）"),
    ("log export", "核对校验链后，原样写出各行"),
    ("plan", "方案：列出、检查、渲染、预览、导入、比较等"),
    ("plan list", "全部方案及其状态"),
    ("plan show", "引擎所理解的方案"),
    ("plan new", "在标准输出打印一个新方案"),
    ("plan lint", "方案的已知隐患"),
    ("plan render", "模板与其值对照"),
    ("plan preview", "查询并显示将处理哪些单据；不写入"),
    ("plan import", "将页面上的表格（Markdown 或制表符分隔）转换为方案文件"),
    ("plan diff", "按含义比较两个方案"),
    ("plan check", "读取目录中的全部方案，说明能否运行"),
    ("plan schema", "`skydeck` 对象的 JSON Schema"),
    ("env", "环境"),
    ("env list", "全部环境"),
    ("env check", "登录并报告结果"),
    ("env adopt", "确认环境的单据在其现在配置的服务器上"),
    ("serve", "无界面的引擎，供 systemd 使用；控制台连接到它"),
    ("doctor", "检查数据目录：流水校验链、索引、预留空间"),
    ("self", "程序与本机"),
    ("self check", "本机缺少什么，会写入什么、写在哪里；不作任何更改"),
    ("upgrade", "先备份，再把旧版本的数据目录升级到本程序的版本"),
    ("backup", "将数据目录（使用中亦可）复制到新目录，并校验副本"),
    ("restore", "将备份复制到数据目录；该目录须尚不存在"),
    ("health", "一个词说明是否正常；退出码 0 正常，1 异常，3 有结果未知的单据"),
    ("alerts", "无人值守时的告警"),
    ("alerts test", "向每个接收方发送测试消息，并报告结果"),
    ("prune", "清除 [retention] 规定已过保留期的明细；遗留单据从不清除"),
    ("sim", "单独运行金蝶模拟器"),
    ("completions", "在标准输出打印 shell 补全脚本"),
    ("man", "在标准输出打印手册页"),
    ("help", "显示此帮助，或某个命令的帮助"),
];

/// What the long help says beneath the first line.
const MORE: &str = "不带命令：打开控制台。退出码：0 全部处理妥当，1 有失败，2 用法、配置或方案有误，3 仍有结果未知，\
                    4 被拒绝（只读、未确认）或等待他人，5 终端，6 自动停止或未全部轮到，7 输出丢失，8 数据或日志校验不通过，130 被中断。";

/// What each option means, by its verb's path and its name; `*`: wherever it stands.
const OPTIONS: &[(&str, &str, &str)] = &[
    ("*", "config", "配置文件［默认：$XDG_CONFIG_HOME/skydeck/config.toml］"),
    ("*", "data", "数据目录：流水、索引、日志［默认：$XDG_STATE_HOME/skydeck］"),
    ("*", "lang", "界面语言［默认：取自 LC_ALL、LC_MESSAGES、LANG］"),
    ("*", "json", "在标准输出逐行打印 JSON 对象"),
    ("*", "standalone", "控制台：引擎留在本进程中，不连接（或启动）可独立存续的引擎"),
    ("*", "attach", "连接此套接字上的引擎（可为其他用户的，见其配置中的 [access]）"),
    ("*", "owner", "--attach 处的引擎应属于哪个用户，写用户名或编号；他人可在该处放置套接字时须写明"),
    ("*", "snapshot", "查看备份：打开其副本，不能下令"),
    ("*", "theme", "主题：内置名称或文件"),
    ("*", "ascii", "边框和符号只用 ASCII"),
    ("*", "mouse", "接收鼠标点击和滚轮（选取文本须按住 Shift）"),
    ("*", "help", "显示帮助"),
    ("*", "version", "显示版本"),
    ("*", "yes", "直接批准控制台中按 y 即可批准的清单"),
    ("*", "confirm", "按确认要求输入的内容：单据张数或环境名"),
    ("*", "flags", "本次运行忽略某项 ERP 提示（如 STK_InvCheckResult：负库存）；须写 --reason"),
    ("*", "reason", "理由"),
    ("*", "unlock", "为本次运行解锁只读环境；须写 --reason"),
    ("*", "filter", "过滤，例如 `cause:lock -org:100 age:>2h`"),
    ("*", "plan", "方案：方案目录中的名称或文件"),
    ("*", "run", "运行编号或其开头；不写则为唯一未结束的运行"),
    ("*", "limit", "最多显示多少行"),
    ("*", "sweep", "不按水位，全量读取"),
    ("*", "subcommand", "命令"),
    ("*", "all", "遗留清单中的全部单据"),
    ("*", "env", "只限此环境"),
    ("*", "form", "只限此业务对象"),
    ("demo", "headless", "不用终端运行方案，并打印汇总"),
    ("demo", "bills", "模拟器中的单据张数"),
    ("demo", "seed", "模拟数据的种子"),
    ("demo", "faults", "故障：none、demo、storm 或 TOML 文件"),
    ("demo", "per_minute", "每分钟调用次数"),
    ("demo", "concurrency", "并发调用数"),
    ("demo", "settle", "结果未知的单据等待多久后回查，如 6s"),
    ("demo", "delay", "模拟器每次响应的用时（毫秒）"),
    ("demo", "hostile", "在部分备注中放入控制字符和转义序列"),
    ("demo", "fresh", "即使有中断的演示，也重新开始"),
    ("demo", "production", "将环境标为生产"),
    ("demo", "history", "先生成这么多天的历史数据：更多方案、定时和人工的运行、遗留的单据"),
    ("run", "since", "本次运行以此替换 LAST_SYNC_TIME（服务器时间）"),
    ("run", "until", "只处理方案日期字段不晚于此的单据（服务器时间）；只写日期则含当天"),
    ("run", "numbers", "只处理这些单据编号：以逗号分隔，或写其所在文件，或 - 表示标准输入"),
    ("run", "remedy", "用方案的补偿查询（omissionRemedy）代替其自身的查询"),
    ("retry", "revision", "按方案的哪个版本：现在的（newest），或单据上次处理时的（original）"),
    ("retry", "run", "只处理此次运行遗留的单据"),
    ("retry", "plan", "只处理此方案的单据"),
    ("verify", "run", "只处理此次运行遗留的单据"),
    ("verify", "plan", "只处理此方案的单据"),
    ("ledger", "run", "只列此次运行遗留的单据"),
    ("ledger", "plan", "只列此方案的单据"),
    ("ledger", "groups", "只列分组和张数"),
    ("resolve", "run", "只办结此次运行遗留的单据"),
    ("resolve", "plan", "只办结此方案的单据"),
    ("resolve", "reason", "理由；保留在记录中"),
    ("reopen", "numbers", "完整的单据编号"),
    ("reopen", "plan", "只处理此方案的单据"),
    ("reopen", "reason", "理由；保留在记录中"),
    ("history", "run", "运行编号或其开头：列出其单据"),
    (
        "history",
        "filter",
        "过滤：只含运行的条件（方案、运行状态、运行类型、操作人、运行时间、环境、运行、操作）时列出运行，否则列出单据",
    ),
    ("bill", "number", "单据编号"),
    ("bill", "evidence", "显示请求和响应"),
    ("bill", "ask", "从未读取过的单据：向 ERP 查询是否存在、被哪些方案的过滤条件排除"),
    ("export", "run", "运行编号；不写则为遗留清单"),
    ("export", "all", "所有运行的全部单据"),
    ("export", "filter", "过滤"),
    ("export", "format", "格式；不写则取自文件后缀"),
    ("export", "codes", "用供程序使用的代码代替文字"),
    ("export", "force", "文件已存在时替换它"),
    ("export", "file", "文件"),
    ("report", "run", "运行编号或其开头；不写则为遗留清单"),
    ("report", "all", "所有运行的全部单据"),
    ("report", "plan", "只含此方案的单据"),
    ("report", "since", "自此时起的运行的单据（2026-11-01、上周）；不限于遗留清单"),
    ("report", "until", "到此时为止的运行的单据"),
    ("report", "filter", "过滤，或常用视图：`@月末`"),
    ("report", "format", "格式；不写则取自文件后缀"),
    ("report", "codes", "在文字旁附上供程序使用的代码"),
    ("report", "force", "文件已存在时替换它"),
    ("report", "file", "文件"),
    ("handover", "since", "自何时起：2026-11-23T18:00、昨天［默认：昨天 18:00］"),
    ("handover", "format", "格式；不写则取自文件后缀，或为纯文本"),
    ("handover", "force", "文件已存在时替换它"),
    ("handover", "file", "文件；不写则为标准输出"),
    ("evidence", "run", "运行编号或其开头"),
    ("evidence", "force", "文件已存在时替换它"),
    ("evidence", "file", "文件"),
    ("log verify", "head", "另行保存的链首（`log head`）：两者都应仍含有它"),
    ("log accept", "reason", "理由；记入操作日志"),
    ("log export", "since", "只写出自此日起的行（UTC，YYYY-MM-DD）"),
    ("log export", "csv", "带字节序标记的 CSV，供电子表格使用；不写则为原始各行"),
    ("log export", "file", "文件；- 为标准输出"),
    ("plan show", "effective", "补全所有默认值"),
    ("plan new", "form", "业务对象标识，如 SAL_OUTSTOCK"),
    ("plan new", "submit", "审核前先提交"),
    ("plan new", "operation", "做什么：Audit（审核）、Submit（提交），或业务对象的操作，如 BillClose、Forbid、Enable"),
    ("plan new", "done", "怎样看出操作已完成，如 FCloseStatus=B；名称不能说明时须写"),
    ("plan render", "since", "渲染所用的 LAST_SYNC_TIME（服务器时间）；不写则为方案的水位"),
    ("plan import", "file", "文件；- 为标准输入"),
    ("plan import", "output", "写到哪里；不写则为标准输出"),
    ("plan diff", "old", "方案之一"),
    ("plan diff", "new", "方案之二"),
    ("env check", "name", "环境；不写则为默认环境"),
    ("env adopt", "name", "环境"),
    ("env adopt", "reason", "理由；记入操作日志"),
    ("serve", "end", "通知占用数据目录的进程结束，并等它结束"),
    ("doctor", "rebuild", "按流水重建索引"),
    ("doctor", "compact", "将索引复制为较小的索引"),
    ("doctor", "export", "以 JSON 行写出全部记录"),
    ("upgrade", "backup", "备份放在哪里；须尚不存在［默认：数据目录旁］"),
    ("upgrade", "no_backup", "不备份"),
    ("backup", "to", "目录；须尚不存在"),
    ("restore", "from", "备份所在的目录"),
    ("backup", "damaged", "写明理由，核对未通过也照样复制；副本标为已损坏，不算备份"),
    ("restore", "damaged", "标为已损坏的副本也恢复；恢复后同样是损坏的"),
    ("prune", "yes", "执行清除；不写则只说明将清除什么"),
    ("sim", "port", "监听端口；0 为任选空闲端口并打印"),
    ("sim", "bills", "销售出库单的张数"),
    ("sim", "seed", "数据和故障的种子：种子相同，单据相同"),
    ("sim", "faults", "预设（none、demo、storm）或 TOML 故障文件；none 以外的预设会使部分单据自带问题"),
    ("sim", "auth", "开放的登录方式"),
    ("sim", "delay", "每次响应的用时（毫秒）"),
    ("sim", "bind", "监听地址；非本机地址会有警告"),
    ("sim", "settings", "数据中心的设置（TOML 文件）：编号唯一、编码规则、必填字段、单据转换（docs/simulator.md）"),
    ("sim", "record", "将对单据所做的一切以 JSON 行追加到此文件"),
    ("sim", "hostile", "在部分备注中放入控制字符和转义序列"),
    ("sim", "gateway", "像厂商网关那样检查 X-Api 请求头"),
    ("completions", "shell", "哪种 shell"),
];

/// The language that help is wanted in: that of `--lang`, else of the locale.
fn language(args: &[OsString]) -> Language {
    let words: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    let named = words.iter().enumerate().find_map(|(at, word)| match word.strip_prefix("--lang") {
        Some("") => words.get(at + 1).copied(),
        Some(rest) => rest.strip_prefix('='),
        None => None,
    });
    let lang = match named {
        Some("zh") => Some(Language::Zh),
        Some("en") => Some(Language::En),
        _ => None,
    };
    boot::language(lang, None)
}

/// The arguments of this process, read.
///
/// # Errors
/// Help or version that was asked for, and wrong usage; both in the language that people read.
pub(super) fn parse() -> Result<Cli, (clap::Error, Language)> {
    let args: Vec<OsString> = std::env::args_os().collect();
    let lang = language(&args);
    let mut command = command(lang);
    let read = command.try_get_matches_from_mut(args).and_then(|found| Cli::from_arg_matches(&found));
    read.map_err(|error| (error.format(&mut command), lang))
}

/// The command with its words in one language.
pub(super) fn command(lang: Language) -> Command {
    let mut command = Cli::command();
    match lang {
        Language::En => command,
        Language::Zh => {
            // Built first: help flags, and what is passed on to every verb, stand in the tree then.
            command.build();
            in_chinese(command, "")
        }
    }
}

/// The command as completions are made of it: what its values and hidden options say stands in English only, and is left out
/// of Chinese ones. It reads no arguments.
pub(super) fn completed(lang: Language) -> Command {
    fn bare(command: Command) -> Command {
        let arg = |arg: Arg| {
            let known = arg.get_possible_values().into_iter().map(|value| value.help(None::<&str>)).collect::<Vec<_>>();
            match known.is_empty() || !arg.get_action().takes_values() {
                _ if arg.is_hide_set() => arg.help("").long_help(""),
                true => arg,
                false => arg.value_parser(PossibleValuesParser::new(known)),
            }
        };
        command.mut_args(arg).mut_subcommands(bare)
    }
    match lang {
        Language::En => command(lang),
        Language::Zh => bare(command(lang)),
    }
}

/// Prints help or version.
///
/// # Errors
/// Standard output takes no more.
pub(super) fn print(asked: &clap::Error, lang: Language) -> std::io::Result<()> {
    match lang {
        // Standard output may be gone from the start: said before anything is lost.
        Language::En => output::raw(&[]).and_then(|()| asked.print()),
        // In the encoding of the terminal.
        Language::Zh => {
            let page = asked.render().to_string();
            // The library ends headings with a narrow sign.
            let wide = |line: &str| match line.strip_suffix(':').filter(|head| HEADINGS.contains(head)) {
                Some(head) => format!("{head}："),
                None => line.to_owned(),
            };
            let lines: Vec<String> = page.lines().map(wide).collect();
            output::lines(lines.iter().map(String::as_str))
        }
    }
}

/// Headings of a page of help.
const HEADINGS: [&str; 3] = ["命令", "参数", "选项"];

fn in_chinese(command: Command, path: &str) -> Command {
    let about = VERBS.iter().find(|(verb, _)| *verb == path).map(|(_, about)| *about);
    // Of the help of `help` itself there is nothing more to say.
    let about = about.or_else(|| path.contains("help").then_some("显示帮助"));
    let mut command = command
        .help_template("{before-help}{about-with-newline}\n用法：{usage}\n\n{all-args}{after-help}")
        .subcommand_help_heading("命令")
        .mut_args(|arg| option(arg, path))
        .mut_subcommands(|verb| {
            let inner =
                if path.is_empty() { verb.get_name().to_owned() } else { format!("{path} {}", verb.get_name()) };
            in_chinese(verb, &inner)
        });
    if let Some(about) = about {
        command = command.about(about).long_about(if path.is_empty() {
            format!("{about}\n\n{MORE}")
        } else {
            about.to_owned()
        });
    }
    command
}

/// An option with its words; its defaults and values are said in them.
fn option(arg: Arg, path: &str) -> Arg {
    let name = arg.get_id().as_str().to_owned();
    let of =
        |verb: &str| OPTIONS.iter().find(|(at, option, _)| *at == verb && *option == name).map(|(_, _, help)| *help);
    let Some(help) = of(path).or_else(|| of("*")) else { return arg };
    let mut help = help.to_owned();
    let flag = !arg.get_action().takes_values();
    if !flag && !arg.is_hide_default_value_set() && !arg.get_default_values().is_empty() {
        let values: Vec<String> = arg.get_default_values().iter().map(|v| v.to_string_lossy().into_owned()).collect();
        help.extend(["［默认：", &values.join(","), "］"]);
    }
    let values: Vec<String> = if flag {
        Vec::new()
    } else {
        arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect()
    };
    if !values.is_empty() {
        help.extend(["［可选：", &values.join("、"), "］"]);
    }
    let heading = if arg.is_positional() { "参数" } else { "选项" };
    arg.long_help(help.clone()).help(help).hide_default_value(true).hide_possible_values(true).help_heading(heading)
}

/// What the value of an option has to be, by the name of the value; what a reader of ours says in Chinese is said itself.
fn wanted(arg: &str, why: &str) -> String {
    let name = arg.rsplit('<').next().unwrap_or_default().trim_end_matches('>');
    match name {
        "N" | "MS" | "BILLS" | "SEED" => "应为整数，如 20".to_owned(),
        "SPAN" => "应为时长，如 6s、5m、2h".to_owned(),
        "DAY" => "应为日期，如 2026-11-23".to_owned(),
        "TIME" => "应为时间，如 2026-11-23 08:00".to_owned(),
        "USER" => "本机没有该用户".to_owned(),
        "HEAD" => "应为 `skydeck log head` 打印的一行".to_owned(),
        "BIND" => "应为 IP 地址，如 127.0.0.1".to_owned(),
        "PORT" => "应为 0 至 65535 的整数".to_owned(),
        _ => format!("“{why}”"),
    }
}

/// Wrong usage in Chinese: what, what would be right, and where to look.
pub(super) fn wrong(error: &clap::Error) -> String {
    let get = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    let (arg, value) = (get(ContextKind::InvalidArg), get(ContextKind::InvalidValue));
    let near = |kind| match get(kind) {
        near if near.is_empty() => String::new(),
        near => format!("：是不是 `{near}`？"),
    };
    let said = match error.kind() {
        ErrorKind::InvalidValue if value.is_empty() => format!("{arg} 缺少值"),
        ErrorKind::InvalidValue => {
            format!("`{value}` 不能作为 {arg} 的值：可选 {}", get(ContextKind::ValidValue).replace(", ", "、"))
        }
        ErrorKind::ValueValidation => match std::error::Error::source(error) {
            Some(why) => format!("`{value}` 不能作为 {arg} 的值：{}", wanted(&arg, &why.to_string())),
            None => format!("`{value}` 不能作为 {arg} 的值"),
        },
        ErrorKind::UnknownArgument => format!("未知的参数 `{arg}`{}", near(ContextKind::SuggestedArg)),
        ErrorKind::InvalidSubcommand => {
            format!("未知的命令 `{}`{}", get(ContextKind::InvalidSubcommand), near(ContextKind::SuggestedSubcommand))
        }
        ErrorKind::ArgumentConflict if get(ContextKind::PriorArg) == arg => format!("{arg} 只能写一次"),
        ErrorKind::ArgumentConflict => format!("{arg} 不能与 {} 同用", get(ContextKind::PriorArg)),
        ErrorKind::MissingRequiredArgument => format!("缺少参数：{arg}"),
        ErrorKind::MissingSubcommand => "缺少命令".to_owned(),
        ErrorKind::NoEquals => format!("{arg} 的值须用等号给出"),
        ErrorKind::TooManyValues | ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            format!("{arg} 的值的个数不对")
        }
        ErrorKind::InvalidUtf8 => "参数不是有效的 UTF-8".to_owned(),
        _ => "命令行有误".to_owned(),
    };
    let usage = get(ContextKind::Usage);
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage);
    let usage = if usage.is_empty() { String::new() } else { format!("\n用法：{usage}") };
    format!("skydeck：{said}{usage}\n用 --help 查看帮助")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn han(text: &str) -> bool {
        text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
    }

    /// The words of a command and of all beneath it, with where they stand; hidden ones are for nobody.
    fn words(command: &Command, path: &str, out: &mut Vec<(String, String)>) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        out.push((path.to_owned(), about));
        out.extend(command.get_long_about().map(|about| (format!("{path} (long)"), about.to_string())));
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            let id = format!("{path} --{}", arg.get_id());
            out.push((id.clone(), arg.get_help().map(ToString::to_string).unwrap_or_default()));
            out.extend(arg.get_long_help().map(|help| (id, help.to_string())));
        }
        for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
            words(verb, &format!("{path} {}", verb.get_name()), out);
        }
    }

    fn all(lang: Language) -> Vec<(String, String)> {
        let mut command = command(lang);
        command.build();
        let mut out = Vec::new();
        words(&command, "skydeck", &mut out);
        out
    }

    #[test]
    fn every_verb_and_option_is_explained_in_the_language_that_is_asked_for() {
        let (zh, en) = (all(Language::Zh), all(Language::En));
        assert!(zh.len() > 300 && en.len() > 300, "{} {}", zh.len(), en.len());
        let missing: Vec<_> = zh.iter().filter(|(_, said)| !han(said)).collect();
        assert!(missing.is_empty(), "{missing:?}");
        let strange: Vec<_> = en.iter().filter(|(_, said)| said.is_empty() || han(said)).collect();
        assert!(strange.is_empty(), "{strange:?}");
    }

    #[test]
    fn a_page_of_help_is_chinese_but_for_names() {
        let mut command = command(Language::Zh);
        let page = command.render_long_help().to_string();
        for word in ["Usage", "Options", "Commands", "Print", "default:", "possible values"] {
            assert!(!page.contains(word), "{word}: {page}");
        }
        let run = command.find_subcommand_mut("run").unwrap().render_help().to_string();
        assert!(run.contains("用法：") && run.contains("参数") && run.contains("选项"), "{run}");
    }

    #[test]
    fn every_row_is_of_a_verb_or_option_that_is_there() {
        let mut command = Cli::command();
        command.build();
        for (path, _) in VERBS {
            let verb =
                path.split(' ').filter(|w| !w.is_empty()).try_fold(&command, |at, word| at.find_subcommand(word));
            assert!(verb.is_some(), "{path}");
        }
        for (path, option, _) in OPTIONS.iter().filter(|(path, ..)| *path != "*") {
            let verb = path.split(' ').try_fold(&command, |at, word| at.find_subcommand(word)).expect(path);
            assert!(verb.get_arguments().any(|arg| arg.get_id() == option), "{path} {option}");
        }
    }
}
