//! Functions that read and change the session's settings.

use crate::serve::settings::Settings;
use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::{ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// `current_setting(name [, missing_ok])` and `set_config(name, value, is_local)`.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) settings: Arc<Settings>,
    pub(super) sets: bool,
    pub(super) signature: Signature,
}

impl PartialEq for Setting {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.settings, &other.settings) && self.sets == other.sets
    }
}

impl Eq for Setting {}

impl Hash for Setting {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (Arc::as_ptr(&self.settings) as usize, self.sets).hash(state);
    }
}

impl ScalarUDFImpl for Setting {
    fn name(&self) -> &str {
        if self.sets { "set_config" } else { "current_setting" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let args = ColumnarValue::values_to_arrays(&args.args)?;
        let column = |place: usize| -> Result<Option<ArrayRef>> {
            match args.get(place) {
                Some(column) => Ok(Some(arrow::compute::cast(column, &DataType::Utf8)?)),
                None => Ok(None),
            }
        };
        let Some(names) = column(0)? else { return plan_err!("{} wants a name", self.name()) };
        let second = column(1)?;
        let mut found = Vec::with_capacity(names.len());
        for (row, name) in names.as_string::<i32>().iter().enumerate() {
            let Some(name) = name else {
                found.push(None);
                continue;
            };
            let second = second.as_ref().map(|second| second.as_string::<i32>());
            let second = second.filter(|second| second.is_valid(row)).map(|second| second.value(row));
            if self.sets {
                // A client may set only what SET allows; the result is the value now in force.
                let _ = self.settings.set(name, second);
            }
            let value = self.settings.get(name);
            if value.is_none() && !self.sets && second != Some("true") {
                return plan_err!("unrecognized configuration parameter \"{name}\"");
            }
            found.push(value);
        }
        match found.as_mut_slice() {
            [one] if constant => Ok(ColumnarValue::Scalar(ScalarValue::Utf8(one.take()))),
            _ => Ok(ColumnarValue::Array(Arc::new(StringArray::from(found)))),
        }
    }
}
