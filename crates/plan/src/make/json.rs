//! JSON as it is sent: keys in the order of the plan, numbers digit by digit.
//!
//! Invariant: no number is read into a float on its way from a column to the body.

/// A value of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// A text.
    Text(String),
    /// A number, a truth or JSON of the source: checked, and written as it stands.
    Raw(String),
    /// An object, its keys in order.
    Object(Vec<(String, Self)>),
    /// A list.
    List(Vec<Self>),
}

impl Json {
    /// Writes it without blanks.
    pub fn write(&self, out: &mut String) {
        match self {
            // A text is always JSON.
            Self::Text(text) => out.push_str(&serde_json::to_string(text).unwrap_or_default()),
            Self::Raw(raw) => out.push_str(raw),
            Self::Object(fields) => {
                out.push('{');
                for (n, (name, value)) in fields.iter().enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    out.push_str(&serde_json::to_string(name).unwrap_or_default());
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
            Self::List(items) => {
                out.push('[');
                for (n, item) in items.iter().enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
        }
    }
}
