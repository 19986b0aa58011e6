//! Base data that bills point at: organisations, customers, materials, users and the like. All invented.
//!
//! Invariant: lists only grow, by base data that is saved, so a position means the same thing for the life of a world.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use super::kind::{Kind, LISTS};

/// One row of base data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Master {
    /// Internal id.
    pub id: i64,
    /// Number.
    pub number: String,
    /// Name.
    pub name: String,
    /// Code (currencies) or specification (materials).
    pub code: String,
}

/// A list, and where each number stands in it.
#[derive(Clone, Debug, Default)]
struct List {
    rows: Vec<Master>,
    by_number: HashMap<String, usize>,
}

impl List {
    fn push(&mut self, row: Master) {
        if !row.number.is_empty() {
            self.by_number.entry(row.number.to_ascii_lowercase()).or_insert(self.rows.len());
        }
        self.rows.push(row);
    }
}

/// All lists.
#[derive(Clone, Debug)]
pub struct Masters([List; LISTS]);

/// Base data by number and name, for whoever makes up bills that this server could have.
#[derive(Clone, Debug, Default)]
pub struct BaseData {
    /// Customers.
    pub customers: Vec<(String, String)>,
    /// Suppliers.
    pub suppliers: Vec<(String, String)>,
    /// People who enter bills.
    pub users: Vec<(String, String)>,
}

/// What every simulated account set has.
pub fn base_data() -> BaseData {
    let masters = Masters::new(&[]);
    let named = |kind| masters.rows(kind).iter().map(|row| (row.number.clone(), row.name.clone())).collect();
    BaseData { customers: named(Kind::Customer), suppliers: named(Kind::Supplier), users: named(Kind::User) }
}

const PLACES: [&str; 20] = [
    "宁波", "苏州", "东莞", "佛山", "无锡", "常州", "温州", "青岛", "厦门", "成都", "武汉", "长沙", "合肥", "郑州",
    "西安", "天津", "大连", "南通", "台州", "珠海",
];
const WORDS: [&str; 12] =
    ["恒远", "鑫达", "华信", "永固", "瑞丰", "嘉禾", "精工", "博世通", "联创", "金石", "东海", "新程"];
const TRADES: [&str; 6] =
    ["机械有限公司", "电子科技有限公司", "五金制品厂", "贸易有限公司", "家居股份有限公司", "自动化设备有限公司"];
const GOODS: [&str; 12] = [
    "深沟球轴承",
    "不锈钢螺栓",
    "伺服电机",
    "铝型材",
    "密封圈",
    "控制面板",
    "减速机",
    "电缆",
    "气缸",
    "传感器",
    "联轴器",
    "包装箱",
];

fn at(words: &[&'static str], i: usize) -> &'static str {
    i.checked_rem(words.len()).and_then(|i| words.get(i)).copied().unwrap_or_default()
}

fn list(rows: &[(i64, &str, &str, &str)]) -> Vec<Master> {
    rows.iter()
        .map(|(id, number, name, code)| Master {
            id: *id,
            number: (*number).to_owned(),
            name: (*name).to_owned(),
            code: (*code).to_owned(),
        })
        .collect()
}

fn firms(count: usize, first_id: i64, prefix: &str, width: usize, shift: usize) -> Vec<Master> {
    (0..count)
        .map(|i| Master {
            id: first_id + i as i64,
            number: format!("{prefix}{:0width$}", i + 1),
            name: format!("{}{}{}", at(&PLACES, i * 7 + shift), at(&WORDS, i * 5 + i / 12), at(&TRADES, i + shift)),
            code: String::new(),
        })
        .collect()
}

fn materials() -> Vec<Master> {
    (0..160)
        .map(|i| Master {
            id: 500_101 + i as i64,
            number: format!("MAT{:05}", i + 1),
            name: at(&GOODS, i).to_owned(),
            code: format!("{}x{}", 10 + i % 40, 20 + i % 70),
        })
        .collect()
}

/// Bill types, two a form.
fn types() -> Vec<Master> {
    super::form::FORMS
        .iter()
        .flat_map(|form| form.types.iter().map(move |number| (form, number)))
        .enumerate()
        .map(|(i, (form, number))| Master {
            id: 700_001 + i as i64,
            number: number.clone(),
            name: format!("{}{}", if i % 2 == 0 { "标准" } else { "其他" }, form.name),
            code: String::new(),
        })
        .collect()
}

impl Masters {
    /// The lists of every simulated account set.
    pub fn new(user_names: &[String]) -> Self {
        let mut users = list(&[
            (100_001, "zhangwei", "张伟", ""),
            (100_002, "wangfang", "王芳", ""),
            (100_003, "lina", "李娜", ""),
            (100_004, "liuyang", "刘洋", ""),
        ]);
        users.extend(user_names.iter().enumerate().map(|(i, name)| Master {
            id: 200_001 + i as i64,
            number: name.clone(),
            name: name.clone(),
            code: String::new(),
        }));
        let mut masters = Self(std::array::from_fn(|_| List::default()));
        let computed = [
            (
                Kind::Org,
                list(&[
                    (1, "100", "云帆制造总部", ""),
                    (100_022, "101", "云帆华东销售公司", ""),
                    (100_023, "102", "云帆华南销售公司", ""),
                ]),
            ),
            (Kind::Customer, firms(240, 600_101, "CUST", 4, 0)),
            (Kind::Supplier, firms(60, 650_101, "VEN", 5, 3)),
            (Kind::Material, materials()),
            (
                Kind::Unit,
                list(&[
                    (10_095, "Pcs", "个", ""),
                    (10_096, "Box", "箱", ""),
                    (10_097, "kg", "千克", ""),
                    (10_098, "m", "米", ""),
                ]),
            ),
            (
                Kind::Stock,
                list(&[
                    (110_001, "CK001", "成品仓", ""),
                    (110_002, "CK002", "原料仓", ""),
                    (110_003, "CK003", "发货中转仓", ""),
                ]),
            ),
            (Kind::User, users),
            (Kind::BillType, types()),
            (
                Kind::Currency,
                list(&[(1, "PRE001", "人民币", "CNY"), (7, "PRE007", "美元", "USD"), (3, "PRE003", "欧元", "EUR")]),
            ),
        ];
        for (kind, rows) in computed {
            for row in rows {
                masters.push(kind, row);
            }
        }
        // A file of ours that cannot be read is found by the test below.
        let written: Written = toml::from_str(include_str!("forms/masters.toml")).unwrap_or_default();
        for (name, rows) in written.lists {
            let Some(kind) = Kind::by_name(&name) else { continue };
            for (id, number, name) in rows {
                masters.push(kind, Master { id, number, name, code: String::new() });
            }
        }
        masters
    }

    /// Adds a row; its position.
    pub fn push(&mut self, kind: Kind, row: Master) -> usize {
        let Some(list) = self.0.get_mut(kind as usize) else { return 0 };
        list.push(row);
        list.rows.len() - 1
    }

    /// A row to be changed. Its number stays as it is.
    pub fn get_mut(&mut self, kind: Kind, position: usize) -> Option<&mut Master> {
        self.0.get_mut(kind as usize)?.rows.get_mut(position)
    }

    /// The rows of a list.
    pub fn rows(&self, kind: Kind) -> &[Master] {
        self.0.get(kind as usize).map_or(&[], |list| &list.rows)
    }

    /// One row by position.
    pub fn get(&self, kind: Kind, position: usize) -> Option<&Master> {
        self.rows(kind).get(position)
    }

    /// Position of a number, in any case; a user also goes by name.
    pub fn position(&self, kind: Kind, number: &str) -> Option<usize> {
        let number = number.trim();
        let list = self.0.get(kind as usize)?;
        let by_name = || list.rows.iter().position(|row| kind == Kind::User && row.name == number);
        list.by_number.get(&number.to_ascii_lowercase()).copied().or_else(by_name)
    }

    /// Position of an internal id.
    pub fn by_id(&self, kind: Kind, id: i64) -> Option<usize> {
        self.rows(kind).iter().position(|row| row.id == id)
    }
}

#[derive(Debug, Default, Deserialize)]
struct Written {
    lists: BTreeMap<String, Vec<(i64, String, String)>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_of_the_file_has_rows() {
        let written: Written = toml::from_str(include_str!("forms/masters.toml")).unwrap();
        let masters = Masters::new(&["demo".to_owned()]);
        for (name, rows) in written.lists {
            let kind = Kind::by_name(&name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(masters.rows(kind).len(), rows.len(), "{name}");
        }
        assert_eq!(masters.position(Kind::Customer, "cust0002"), Some(1));
        assert_eq!(masters.position(Kind::User, "张伟"), Some(0));
        assert_eq!(masters.position(Kind::Any, "x"), None);
    }
}
