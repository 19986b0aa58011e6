//! The business objects the simulator knows, and the columns each has.
//!
//! Invariant: form ids, field keys and base-data properties are found in any letter case, as the real server does.

use super::masters::Kind;
use super::states::State;

/// What a column reads from a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Col {
    /// Internal id.
    Id,
    /// Number.
    Number,
    /// Document status, a code.
    Status,
    /// `A` not cancelled; nothing here cancels bills.
    Cancelled,
    /// Bill type.
    BillType,
    /// Sales, settlement or purchase organisation.
    Org,
    /// Stock organisation.
    StockOrg,
    /// Customer or supplier.
    Partner,
    /// Business date.
    Date,
    /// Created at.
    Created,
    /// Changed at.
    Modified,
    /// Audited at; null while not audited.
    Approved,
    /// Created by.
    Creator,
    /// Changed by.
    Modifier,
    /// Audited by.
    Approver,
    /// A mark: `A` not so, `B` so.
    Mark(State),
    /// When the mark was set; null while it is not.
    MarkedAt(State),
    /// Who set the mark.
    MarkedBy(State),
    /// Note.
    Note,
    /// Sum of the entry amounts.
    Amount,
    /// Entry id.
    EntryId,
    /// Entry number within the bill, from 1.
    EntrySeq,
    /// Entry material.
    Material,
    /// Entry unit.
    Unit,
    /// Entry warehouse.
    Stock,
    /// Entry quantity.
    Qty,
    /// Entry price.
    Price,
    /// Entry amount.
    EntryAmount,
    /// Name of a base-data row.
    Name,
    /// Code of a base-data row (`CNY`).
    Code,
    /// Specification of a material.
    Spec,
}

impl Col {
    /// Selecting or testing it makes one row a line.
    pub fn is_entry(self) -> bool {
        matches!(
            self,
            Self::EntryId
                | Self::EntrySeq
                | Self::Material
                | Self::Unit
                | Self::Stock
                | Self::Qty
                | Self::Price
                | Self::EntryAmount
        )
    }

    /// The list its value is an entry of; such a column takes `.FNumber` and `.FName`.
    pub fn base(self) -> Option<Kind> {
        Some(match self {
            Self::BillType => Kind::BillType,
            Self::Org | Self::StockOrg => Kind::Org,
            Self::Partner => Kind::Partner,
            Self::Creator | Self::Modifier | Self::Approver | Self::MarkedBy(_) => Kind::User,
            Self::Material => Kind::Material,
            Self::Unit => Kind::Unit,
            Self::Stock => Kind::Stock,
            _ => return None,
        })
    }
}

/// Which property of a base-data column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prop {
    /// The column itself; for base data its id.
    Own,
    /// `.FNumber`
    Number,
    /// `.FName`
    Name,
}

/// A column with its property, resolved for one form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Column.
    pub col: Col,
    /// Property.
    pub prop: Prop,
}

/// A business object.
#[derive(Debug)]
pub struct Form {
    /// `SAL_OUTSTOCK`.
    pub id: &'static str,
    /// Name in messages.
    pub name: &'static str,
    /// Numbers are this and at least `width` digits.
    pub prefix: &'static str,
    /// Digits of a number.
    pub width: usize,
    /// First internal id.
    pub first_id: u32,
    /// Usual and other bill type.
    pub types: [&'static str; 2],
    /// Whose names [`Col::Partner`] takes, and for base data whose rows these are.
    pub partner: Kind,
    /// Base data rather than bills: audited from the start, no entries.
    pub base_data: bool,
    /// Entity key of the entries.
    pub entry: &'static str,
    /// Field keys.
    pub fields: &'static [(&'static str, Col)],
}

impl Form {
    /// Finds a field, `None` when the form has no such.
    pub fn field(&self, path: &str) -> Option<Field> {
        let (key, prop) = path.split_once('.').unwrap_or((path, ""));
        let col = self.fields.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, col)| *col)?;
        let prop = match prop.to_ascii_lowercase().as_str() {
            "" if !path.contains('.') => Prop::Own,
            "fnumber" if col.base().is_some() => Prop::Number,
            "fname" if col.base().is_some() => Prop::Name,
            _ => return None,
        };
        Some(Field { col, prop })
    }
}

impl Form {
    /// Whether its rows have this state; an operation that moves a state its form has not is none of that form's.
    pub fn has(&self, state: State) -> bool {
        state == State::Document || self.fields.iter().any(|(_, col)| *col == Col::Mark(state))
    }
}

/// Position of a form in [`FORMS`].
pub fn find(id: &str) -> Option<usize> {
    FORMS.iter().position(|form| form.id.eq_ignore_ascii_case(id.trim()))
}

const BD_FIELDS: &[(&str, Col)] = &[
    ("FNumber", Col::Number),
    ("FName", Col::Name),
    ("FSpecification", Col::Spec),
    ("FDescription", Col::Note),
    ("FDocumentStatus", Col::Status),
    ("FForbidStatus", Col::Mark(State::Forbid)),
    ("FForbidDate", Col::MarkedAt(State::Forbid)),
    ("FForbidderId", Col::MarkedBy(State::Forbid)),
    ("FCreateOrgId", Col::Org),
    ("FUseOrgId", Col::StockOrg),
    ("FCreateDate", Col::Created),
    ("FModifyDate", Col::Modified),
    ("FApproveDate", Col::Approved),
    ("FCreatorId", Col::Creator),
    ("FModifierId", Col::Modifier),
    ("FApproverId", Col::Approver),
    ("FMATERIALID", Col::Id),
    ("FCUSTID", Col::Id),
    ("FCURRENCYID", Col::Id),
    ("FCODE", Col::Code),
    ("FID", Col::Id),
];

/// Every form. Field keys are those of the real objects where public sources or a plan in use name them.
pub const FORMS: &[Form] = &[
    Form {
        id: "SAL_OUTSTOCK",
        name: "销售出库单",
        prefix: "XSCKD",
        width: 6,
        first_id: 100_101,
        types: ["XSCKD07_SYS", "XSCKD01_SYS"],
        partner: Kind::Customer,
        base_data: false,
        entry: "FEntity",
        fields: &[
            ("FID", Col::Id),
            ("FBillNo", Col::Number),
            ("FDocumentStatus", Col::Status),
            ("FCancelStatus", Col::Cancelled),
            ("FCloseStatus", Col::Mark(State::Close)),
            ("FCloseDate", Col::MarkedAt(State::Close)),
            ("FCloserId", Col::MarkedBy(State::Close)),
            ("FBillTypeID", Col::BillType),
            ("FDate", Col::Date),
            ("FSaleOrgId", Col::Org),
            ("FStockOrgId", Col::StockOrg),
            ("FCustomerID", Col::Partner),
            ("FCreateDate", Col::Created),
            ("FModifyDate", Col::Modified),
            ("FApproveDate", Col::Approved),
            ("FCreatorId", Col::Creator),
            ("FModifierId", Col::Modifier),
            ("FApproverId", Col::Approver),
            ("FApproverID", Col::Approver),
            ("FNote", Col::Note),
            ("FBillAllAmount", Col::Amount),
            ("FEntity_FEntryID", Col::EntryId),
            ("FEntity_FSeq", Col::EntrySeq),
            ("FMaterialID", Col::Material),
            ("FUnitID", Col::Unit),
            ("FStockID", Col::Stock),
            ("FRealQty", Col::Qty),
            ("FMustQty", Col::Qty),
            ("FTaxPrice", Col::Price),
            ("FAllAmount", Col::EntryAmount),
        ],
    },
    Form {
        id: "SAL_SaleOrder",
        name: "销售订单",
        prefix: "XSDD",
        width: 6,
        first_id: 200_101,
        types: ["XSDD01_SYS", "XSDD04_SYS"],
        partner: Kind::Customer,
        base_data: false,
        entry: "FSaleOrderEntry",
        fields: &[
            ("FID", Col::Id),
            ("FBillNo", Col::Number),
            ("FDocumentStatus", Col::Status),
            ("FCancelStatus", Col::Cancelled),
            ("FCloseStatus", Col::Mark(State::Close)),
            ("FCloseDate", Col::MarkedAt(State::Close)),
            ("FCloserId", Col::MarkedBy(State::Close)),
            ("FBillTypeID", Col::BillType),
            ("FDate", Col::Date),
            ("FSaleOrgId", Col::Org),
            ("FCustId", Col::Partner),
            ("FCreateDate", Col::Created),
            ("FModifyDate", Col::Modified),
            ("FApproveDate", Col::Approved),
            ("FCreatorId", Col::Creator),
            ("FModifierId", Col::Modifier),
            ("FApproverId", Col::Approver),
            ("FNote", Col::Note),
            ("FBillAllAmount", Col::Amount),
            ("FSaleOrderEntry_FEntryID", Col::EntryId),
            ("FSaleOrderEntry_FSeq", Col::EntrySeq),
            ("FMaterialId", Col::Material),
            ("FUnitID", Col::Unit),
            ("FStockOrgId", Col::StockOrg),
            ("FQty", Col::Qty),
            ("FTaxPrice", Col::Price),
            ("FAllAmount", Col::EntryAmount),
        ],
    },
    Form {
        id: "AR_receivable",
        name: "应收单",
        prefix: "AR",
        width: 8,
        first_id: 300_101,
        types: ["YSD01_SYS", "YSD02_SYS"],
        partner: Kind::Customer,
        base_data: false,
        entry: "FEntityDetail",
        fields: &[
            ("FID", Col::Id),
            ("FBillNo", Col::Number),
            ("FDocumentStatus", Col::Status),
            ("FCloseStatus", Col::Mark(State::Close)),
            ("FCloseDate", Col::MarkedAt(State::Close)),
            ("FCloserId", Col::MarkedBy(State::Close)),
            ("FBillTypeID", Col::BillType),
            ("FDATE", Col::Date),
            ("FSETTLEORGID", Col::Org),
            ("FSALEORGID", Col::StockOrg),
            ("FCUSTOMERID", Col::Partner),
            ("FCreateDate", Col::Created),
            ("FModifyDate", Col::Modified),
            ("FApproveDate", Col::Approved),
            ("FCreatorId", Col::Creator),
            ("FModifierId", Col::Modifier),
            ("FApproverId", Col::Approver),
            ("FAR_Remark", Col::Note),
            ("FALLAMOUNTFOR", Col::Amount),
            ("FEntityDetail_FEntryID", Col::EntryId),
            ("FEntityDetail_FSeq", Col::EntrySeq),
            ("FMATERIALID", Col::Material),
            ("FPRICEUNITID", Col::Unit),
            ("FPriceQty", Col::Qty),
            ("FTaxPrice", Col::Price),
            ("FALLAMOUNTFOR_D", Col::EntryAmount),
        ],
    },
    Form {
        id: "STK_InStock",
        name: "采购入库单",
        prefix: "CGRK",
        width: 6,
        first_id: 400_101,
        types: ["RKD01_SYS", "RKD02_SYS"],
        partner: Kind::Supplier,
        base_data: false,
        entry: "FInStockEntry",
        fields: &[
            ("FID", Col::Id),
            ("FBillNo", Col::Number),
            ("FDocumentStatus", Col::Status),
            ("FCancelStatus", Col::Cancelled),
            ("FCloseStatus", Col::Mark(State::Close)),
            ("FCloseDate", Col::MarkedAt(State::Close)),
            ("FCloserId", Col::MarkedBy(State::Close)),
            ("FBillTypeID", Col::BillType),
            ("FDate", Col::Date),
            ("FPurchaseOrgId", Col::Org),
            ("FStockOrgId", Col::StockOrg),
            ("FSupplierId", Col::Partner),
            ("FCreateDate", Col::Created),
            ("FModifyDate", Col::Modified),
            ("FApproveDate", Col::Approved),
            ("FCreatorId", Col::Creator),
            ("FModifierId", Col::Modifier),
            ("FApproverId", Col::Approver),
            ("FNote", Col::Note),
            ("FBillAllAmount", Col::Amount),
            ("FInStockEntry_FEntryID", Col::EntryId),
            ("FInStockEntry_FSeq", Col::EntrySeq),
            ("FMaterialId", Col::Material),
            ("FUnitID", Col::Unit),
            ("FStockId", Col::Stock),
            ("FRealQty", Col::Qty),
            ("FTaxPrice", Col::Price),
            ("FAllAmount", Col::EntryAmount),
        ],
    },
    base_data("BD_MATERIAL", "物料", Kind::Material, 500_101),
    base_data("BD_Customer", "客户", Kind::Customer, 600_101),
    base_data("BD_Currency", "币别", Kind::Currency, 1),
    // Behind the others, whose positions their seeds hang on.
    Form {
        id: "PUR_PriceCategory",
        name: "采购价目表",
        prefix: "CGJM",
        width: 6,
        first_id: 800_101,
        types: ["CGJM01_SYS", "CGJM02_SYS"],
        partner: Kind::Supplier,
        base_data: false,
        entry: "FPriceListEntry",
        fields: &[
            ("FID", Col::Id),
            ("FNumber", Col::Number),
            ("FDocumentStatus", Col::Status),
            ("FForbidStatus", Col::Mark(State::Forbid)),
            ("FForbidDate", Col::MarkedAt(State::Forbid)),
            ("FForbidderId", Col::MarkedBy(State::Forbid)),
            ("FCreateOrgId", Col::Org),
            ("FUseOrgId", Col::StockOrg),
            ("FSupplierID", Col::Partner),
            ("FCreateDate", Col::Created),
            ("FModifyDate", Col::Modified),
            ("FApproveDate", Col::Approved),
            ("FCreatorId", Col::Creator),
            ("FModifierId", Col::Modifier),
            ("FApproverId", Col::Approver),
            ("FDescription", Col::Note),
            ("FPriceListEntry_FEntryID", Col::EntryId),
            ("FPriceListEntry_FSeq", Col::EntrySeq),
            ("FMaterialId", Col::Material),
            ("FUnitID", Col::Unit),
            ("FTaxPrice", Col::Price),
        ],
    },
];

const fn base_data(id: &'static str, name: &'static str, rows: Kind, first_id: u32) -> Form {
    Form {
        id,
        name,
        prefix: "",
        width: 0,
        first_id,
        types: ["", ""],
        partner: rows,
        base_data: true,
        entry: "",
        fields: BD_FIELDS,
    }
}
