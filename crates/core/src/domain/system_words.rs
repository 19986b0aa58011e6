//! What the operating system, and the library that speaks HTTP, say of a fault, in Chinese.
//!
//! Invariant: what is not recognised is quoted as it stands.

/// Error numbers of Linux that files and connections meet.
const ERRORS: [(u16, &str); 31] = [
    (1, "操作不允许"),
    (2, "文件或目录不存在"),
    (5, "输入输出错误"),
    (11, "资源暂时不可用"),
    (12, "内存不足"),
    (13, "权限不足"),
    (16, "设备或资源忙"),
    (17, "已存在"),
    (18, "不在同一文件系统"),
    (20, "不是目录"),
    (21, "是目录"),
    (22, "参数无效"),
    (23, "系统打开的文件过多"),
    (24, "打开的文件过多"),
    (26, "程序文件正在使用"),
    (27, "文件过大"),
    (28, "磁盘空间不足"),
    (30, "文件系统只读"),
    (32, "对端已关闭"),
    (36, "文件名过长"),
    (39, "目录非空"),
    (40, "符号链接层数过多"),
    (98, "地址已被占用"),
    (99, "本机没有该地址"),
    (101, "网络不可达"),
    (103, "连接已中止"),
    (104, "连接被重置"),
    (110, "连接超时"),
    (111, "连接被拒绝"),
    (113, "没有到该主机的路由"),
    (122, "超出磁盘配额"),
];

/// What else they say, by a part of it.
const PARTS: [(&str, &str); 7] = [
    ("failed to lookup address", "域名无法解析"),
    ("dns error", "域名无法解析"),
    ("connection closed before message completed", "响应完成之前连接已断开"),
    ("operation timed out", "超时"),
    ("deadline has elapsed", "超时"),
    ("stream did not contain valid UTF-8", "不是 UTF-8 文本"),
    ("failed to fill whole buffer", "内容不完整"),
];

/// The fault without the name of a file that was made on the way, of which nobody has heard.
pub fn without_made_file(said: &str) -> &str {
    said.split_once(" at path \"").map_or(said, |(why, _)| why)
}

/// The fault in Chinese.
pub fn chinese(said: &str) -> String {
    let number = said.rsplit_once("(os error ").and_then(|(_, rest)| rest.split(')').next()?.parse::<u16>().ok());
    let error = number.and_then(|number| ERRORS.iter().find(|(of, _)| *of == number));
    let part = || PARTS.iter().find(|(part, _)| said.contains(part));
    match (error, part()) {
        (Some((number, zh)), _) => format!("{zh}（系统错误 {number}）"),
        (None, Some((_, zh))) => (*zh).to_owned(),
        (None, None) => format!("“{said}”"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_system_and_client_are_chinese_and_others_are_quoted() {
        let refused =
            "error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)";
        for (said, zh) in [
            (refused, "连接被拒绝（系统错误 111）"),
            ("error sending request: operation timed out", "超时"),
            ("Something new (os error 9999)", "“Something new (os error 9999)”"),
            ("用户名或密码错误", "“用户名或密码错误”"),
        ] {
            assert_eq!(chinese(said), zh);
        }
        let made = "No space left on device (os error 28) at path \"/srv/.skydeck-a1B2c3.part\"";
        assert_eq!(without_made_file(made), "No space left on device (os error 28)");
        assert_eq!(without_made_file("“at path” is odd"), "“at path” is odd");
        let absent = std::io::Error::from_raw_os_error(2).to_string();
        assert_eq!(chinese(&absent), "文件或目录不存在（系统错误 2）");
    }
}
