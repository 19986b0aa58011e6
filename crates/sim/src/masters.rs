//! Base data that bills point at: organisations, customers, materials, users and the like. All invented.
//!
//! Invariant: fixed lists, so a position means the same thing in every world.

/// A list of base data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Organisations 100, 101, 102.
    Org,
    /// `CUST0001`…
    Customer,
    /// `VEN00001`…
    Supplier,
    /// `MAT00001`…
    Material,
    /// Units.
    Unit,
    /// Warehouses.
    Stock,
    /// Users.
    User,
    /// Bill types, in the order of the forms.
    BillType,
    /// Currencies; numbers as in the probe of the official Java client (docs/design/wire.md#probes).
    Currency,
    /// Customer or supplier, as the form says.
    Partner,
}

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

/// All lists.
#[derive(Clone, Debug)]
pub struct Masters {
    orgs: Vec<Master>,
    customers: Vec<Master>,
    suppliers: Vec<Master>,
    materials: Vec<Master>,
    units: Vec<Master>,
    stocks: Vec<Master>,
    users: Vec<Master>,
    types: Vec<Master>,
    currencies: Vec<Master>,
}

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
        let materials = (0..160)
            .map(|i| Master {
                id: 500_101 + i as i64,
                number: format!("MAT{:05}", i + 1),
                name: at(&GOODS, i).to_owned(),
                code: format!("{}x{}", 10 + i % 40, 20 + i % 70),
            })
            .collect();
        let types = super::form::FORMS
            .iter()
            .flat_map(|form| form.types.iter().map(move |number| (form, number)))
            .enumerate()
            .map(|(i, (form, number))| Master {
                id: 700_001 + i as i64,
                number: (*number).to_owned(),
                name: format!("{}{}", if i % 2 == 0 { "标准" } else { "其他" }, form.name),
                code: String::new(),
            })
            .collect();
        Self {
            orgs: list(&[
                (1, "100", "云帆制造总部", ""),
                (100_022, "101", "云帆华东销售公司", ""),
                (100_023, "102", "云帆华南销售公司", ""),
            ]),
            customers: firms(240, 600_101, "CUST", 4, 0),
            suppliers: firms(60, 650_101, "VEN", 5, 3),
            materials,
            units: list(&[
                (10_095, "Pcs", "个", ""),
                (10_096, "Box", "箱", ""),
                (10_097, "kg", "千克", ""),
                (10_098, "m", "米", ""),
            ]),
            stocks: list(&[
                (110_001, "CK001", "成品仓", ""),
                (110_002, "CK002", "原料仓", ""),
                (110_003, "CK003", "发货中转仓", ""),
            ]),
            users,
            types,
            currencies: list(&[
                (1, "PRE001", "人民币", "CNY"),
                (7, "PRE007", "美元", "USD"),
                (3, "PRE003", "欧元", "EUR"),
            ]),
        }
    }

    /// The rows of a list. `Partner` has none of its own: ask for the form's kind.
    pub fn rows(&self, kind: Kind) -> &[Master] {
        match kind {
            Kind::Org => &self.orgs,
            Kind::Customer => &self.customers,
            Kind::Supplier => &self.suppliers,
            Kind::Material => &self.materials,
            Kind::Unit => &self.units,
            Kind::Stock => &self.stocks,
            Kind::User => &self.users,
            Kind::BillType => &self.types,
            Kind::Currency => &self.currencies,
            Kind::Partner => &[],
        }
    }

    /// One row by position.
    pub fn get(&self, kind: Kind, position: usize) -> Option<&Master> {
        self.rows(kind).get(position)
    }

    /// Position of a number, in any case; a user also goes by name.
    pub fn position(&self, kind: Kind, number: &str) -> Option<usize> {
        let number = number.trim();
        let named = |row: &Master| kind == Kind::User && row.name == number;
        self.rows(kind).iter().position(|row| row.number.eq_ignore_ascii_case(number) || named(row))
    }
}
