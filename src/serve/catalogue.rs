//! `pg_catalog` and `information_schema`, and the functions by which clients find out whom they talk to.

use super::error::ServeError;
use super::information::Information;
use super::settings::{SERVER_VERSION, Settings};
use crate::sql::{CATALOG, Workspace};
use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::{ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use datafusion::prelude::SessionContext;
use datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_pg_catalog::setup_pg_catalog;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A session over the workspace's tables that also has what clients ask about.
///
/// # Errors
/// [`ServeError::Catalogue`] when the schemas cannot be registered.
pub(super) fn with_catalogue(workspace: &Workspace) -> std::result::Result<SessionContext, ServeError> {
    let failed = |error: String| ServeError::Catalogue(error);
    let context = SessionContext::new_with_state(workspace.context().state());
    // Ours has Postgres's names of types, by which clients tell times from numbers.
    context.state_ref().write().config_mut().options_mut().catalog.information_schema = false;
    let catalogs = context.state().catalog_list().clone();
    let catalog = context.catalog(CATALOG).ok_or_else(|| failed(format!("no catalog {CATALOG}")))?;
    let information = Information::new(catalogs).map_err(|error| failed(error.to_string()))?;
    catalog.register_schema("information_schema", Arc::new(information)).map_err(|error| failed(error.to_string()))?;
    setup_pg_catalog(&context, CATALOG, EmptyContextProvider).map_err(|error| failed(error.to_string()))?;
    for name in NULL_FUNCTIONS {
        context.register_udf(ScalarUDF::from(Fixed::any(name, ScalarValue::Utf8(None))));
    }
    for (name, value) in [
        ("pg_is_in_recovery", ScalarValue::from(false)),
        ("pg_function_is_visible", ScalarValue::from(true)),
        ("pg_collation_is_visible", ScalarValue::from(true)),
        ("pg_type_is_visible", ScalarValue::from(true)),
        ("has_function_privilege", ScalarValue::from(true)),
        ("has_sequence_privilege", ScalarValue::from(true)),
        ("has_column_privilege", ScalarValue::from(true)),
        ("pg_advisory_unlock_all", ScalarValue::Utf8(Some(String::new()))),
        ("txid_current", ScalarValue::from(1_i64)),
        ("pg_my_temp_schema", ScalarValue::from(0_i32)),
        ("pg_char_to_encoding", ScalarValue::from(6_i32)),
        ("to_regtype", ScalarValue::Int32(None)),
        ("to_regclass", ScalarValue::Int32(None)),
    ] {
        if context.udf(name).is_err() {
            context.register_udf(ScalarUDF::from(Fixed::any(name, value)));
        }
    }
    Ok(context)
}

/// Functions of Postgres about things that flowsift has none of.
const NULL_FUNCTIONS: &[&str] = &[
    "col_description",
    "inet_client_addr",
    "inet_server_addr",
    "obj_description",
    "pg_get_function_arguments",
    "pg_get_function_result",
    "pg_get_indexdef",
    "pg_get_ruledef",
    "pg_get_serial_sequence",
    "pg_get_triggerdef",
    "pg_get_viewdef",
    "pg_tablespace_location",
    "shobj_description",
];

/// Registers the functions that know the connection.
pub(super) fn register_functions_of(context: &SessionContext, settings: &Arc<Settings>, pid: i32, user: &str) {
    let text = |text: String| ScalarValue::Utf8(Some(text));
    let version = format!("PostgreSQL {SERVER_VERSION} (flowsift {})", env!("CARGO_PKG_VERSION"));
    for (name, value) in [
        ("version", text(version)),
        ("pg_backend_pid", ScalarValue::from(pid)),
        ("session_user", text(user.to_owned())),
        ("current_user", text(user.to_owned())),
        ("current_role", text(user.to_owned())),
        ("pg_get_userbyid", text(user.to_owned())),
    ] {
        context.register_udf(ScalarUDF::from(Fixed::any(name, value)));
    }
    for sets in [false, true] {
        context.register_udf(ScalarUDF::from(Setting { settings: settings.clone(), sets, signature: texts(1..4) }));
    }
}

fn texts(counts: std::ops::Range<usize>) -> Signature {
    Signature::one_of(counts.map(TypeSignature::Any).collect(), Volatility::Stable)
}

/// A function that gives one value, whatever it is asked.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Fixed {
    name: &'static str,
    value: ScalarValue,
    signature: Signature,
}

impl Fixed {
    fn any(name: &'static str, value: ScalarValue) -> Self {
        let counts = std::iter::once(TypeSignature::Nullary).chain([TypeSignature::VariadicAny]).collect();
        Self { name, value, signature: Signature::one_of(counts, Volatility::Stable) }
    }
}

impl ScalarUDFImpl for Fixed {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.value.data_type())
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(self.value.clone()))
    }
}

/// `current_setting(name [, missing_ok])` and `set_config(name, value, is_local)`.
#[derive(Debug)]
struct Setting {
    settings: Arc<Settings>,
    sets: bool,
    signature: Signature,
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
                // A client may set only what it may set by SET; the answer is what now holds.
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
