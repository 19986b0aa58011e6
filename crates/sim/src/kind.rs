//! The lists of base data there are.
//!
//! Invariant: the files of forms name each as it is written here, in small letters.

use serde::Deserialize;

/// A list of base data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// Departments.
    Department,
    /// Employees.
    Employee,
    /// Accounts of the ledger.
    Account,
    /// Account books.
    AccountBook,
    /// Voucher words.
    VoucherGroup,
    /// Kinds of expense.
    Expense,
    /// Ways to settle.
    Settle,
    /// Groups of materials.
    MaterialGroup,
    /// Groups of customers.
    CustomerGroup,
    /// Groups of suppliers.
    SupplierGroup,
    /// Groups of units.
    UnitGroup,
    /// Groups of warehouses.
    StockGroup,
    /// Classes of accounts.
    AccountGroup,
    /// Groups of departments.
    DepartmentGroup,
    /// A list that is not kept here: every number is taken as it is.
    Any,
}

/// How many lists there are.
pub const LISTS: usize = Kind::Any as usize + 1;

impl Kind {
    /// A list by the name the files of forms give it.
    pub fn by_name(name: &str) -> Option<Self> {
        use serde::de::IntoDeserializer;
        use serde::de::value::{Error, StrDeserializer};
        let name: StrDeserializer<'_, Error> = name.into_deserializer();
        Self::deserialize(name).ok()
    }
}
