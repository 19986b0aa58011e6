//! The few words the shell itself says, in both languages.

use super::caps::Through;
use skydeck_core::domain::language::Language;
use skydeck_engine::api::LinkError;

/// Says them.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// Chinese, else English.
    pub chinese: bool,
}

impl Words {
    /// The language they are in.
    pub fn language(self) -> Language {
        if self.chinese { Language::Zh } else { Language::En }
    }

    fn pick(self, zh: impl Into<String>, en: impl Into<String>) -> String {
        if self.chinese { zh.into() } else { en.into() }
    }

    /// The engine ended without a word.
    pub fn engine_ended(self) -> String {
        self.pick("引擎进程已结束，正在重新连接", "the engine ended; connecting again")
    }

    /// Why there is no engine.
    pub fn gone(self, error: &LinkError) -> String {
        let LinkError::Gone(why) = error else { return error.to_string() };
        self.pick(why.zh(), why.to_string())
    }

    /// Ctrl-Z where no shell could bring us back.
    pub fn no_job_control(self) -> String {
        self.pick("不能回到 shell：当前会话没有作业控制", "Cannot suspend: this session has no job control")
    }

    /// Text went to the terminal, which answers nothing: whether it is in the clipboard is not known.
    pub fn sent_to_clipboard(self, characters: usize, through: Through) -> String {
        let (zh, en) = match through {
            Through::Nothing => ("", ""),
            Through::Tmux => (
                "；若未能粘贴：在 tmux 中执行 `set -s set-clipboard on`",
                "; if it cannot be pasted: `set -s set-clipboard on` in tmux",
            ),
            Through::Screen => {
                ("；screen 不会转发给终端：请改用导出", "; screen does not pass it on to the terminal: export instead")
            }
        };
        self.pick(
            format!("已将 {characters} 个字符发送到终端{zh}"),
            format!("sent {characters} characters to the terminal{en}"),
        )
    }

    /// Copying is off, or the terminal cannot.
    pub fn cannot_copy(self) -> String {
        self.pick(
            "此终端或配置不支持复制：请改用导出",
            "this terminal or the configuration does not copy: export instead",
        )
    }

    /// Too much to copy.
    pub fn too_long(self, bytes: usize) -> String {
        self.pick(
            format!("{bytes} 字节太长，无法通过终端复制：请改用导出"),
            format!("{bytes} bytes are too many to copy through the terminal: export them instead"),
        )
    }

    /// An export ended well.
    pub fn exported(self, rows: u64, path: &str) -> String {
        self.pick(format!("已导出 {rows} 行到 {path}"), format!("wrote {rows} rows to {path}"))
    }

    /// A file was written.
    pub fn written(self, path: &str) -> String {
        self.pick(format!("已写入 {path}"), format!("wrote {path}"))
    }

    /// How lists are shown could not be kept.
    pub fn lists_not_kept(self, why: &str) -> String {
        self.pick(
            format!("列表的显示方式未保存，下次启动时按原样显示：{why}"),
            format!("How this list is shown was not kept for the next console: {why}"),
        )
    }

    /// Named filters were kept.
    pub fn filters_kept(self) -> String {
        self.pick("过滤条件已保存", "Filters saved")
    }

    /// Named filters could not be kept.
    pub fn filters_not_kept(self, why: &str) -> String {
        self.pick(format!("未保存过滤条件：{why}"), format!("Filters not saved: {why}"))
    }
}
