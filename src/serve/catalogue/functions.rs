//! Postgres functions that clients use to find out what they are connected to.

use super::lookup_functions::LookupFunction;
use super::relations::CatalogOids;
use super::setting_functions::Setting;
use crate::serve::settings::{SERVER_VERSION, Settings};
use crate::sql::CATALOG;
use arrow::datatypes::{DataType, Field};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use datafusion::prelude::SessionContext;
use std::sync::Arc;

/// Functions about things that flowsift does not have; they return NULL.
const NULL_FUNCTIONS: &[&str] = &[
    "col_description",
    "inet_client_addr",
    "inet_server_addr",
    "obj_description",
    "pg_get_function_arg_default",
    "pg_get_function_arguments",
    "pg_get_function_identity_arguments",
    "pg_get_function_result",
    "pg_get_function_sqlbody",
    "pg_get_functiondef",
    "pg_get_indexdef",
    "pg_get_ruledef",
    "pg_get_serial_sequence",
    "pg_get_statisticsobjdef_columns",
    "pg_get_triggerdef",
    "pg_get_viewdef",
    "pg_tablespace_location",
    "shobj_description",
];

/// Returns functions that return the same whatever their arguments are.
fn fixed() -> Vec<(&'static str, ScalarValue)> {
    let mut all: Vec<(&str, ScalarValue)> =
        NULL_FUNCTIONS.iter().map(|name| (*name, ScalarValue::Utf8(None))).collect();
    all.extend(
        [
            "has_any_column_privilege",
            "has_column_privilege",
            "has_database_privilege",
            "has_function_privilege",
            "has_schema_privilege",
            "has_sequence_privilege",
            "has_table_privilege",
            "pg_collation_is_visible",
            "pg_conversion_is_visible",
            "pg_function_is_visible",
            "pg_opclass_is_visible",
            "pg_operator_is_visible",
            "pg_opfamily_is_visible",
            "pg_relation_is_publishable",
            "pg_statistics_obj_is_visible",
            "pg_ts_config_is_visible",
            "pg_ts_dict_is_visible",
            "pg_type_is_visible",
        ]
        .map(|name| (name, ScalarValue::from(true))),
    );
    all.extend(
        ["pg_advisory_unlock_all", "pg_get_constraintdef", "pg_get_expr", "pg_get_partkeydef"]
            .map(|name| (name, ScalarValue::from(""))),
    );
    all.extend(["pg_my_temp_schema", "pg_stat_get_numscans"].map(|name| (name, ScalarValue::from(0_i32))));
    // Tables are read from objects, whose bytes are not those of one table.
    all.extend(
        [
            "pg_database_size",
            "pg_indexes_size",
            "pg_relation_size",
            "pg_table_size",
            "pg_tablespace_size",
            "pg_total_relation_size",
        ]
        .map(|name| (name, ScalarValue::Int64(None))),
    );
    let element = [("x", DataType::Int32), ("n", DataType::Int32)];
    let element = element.map(|(name, kind)| Field::new(name, kind, true)).to_vec();
    // There are no keys and no indexes whose columns it could list.
    let no_element = ScalarValue::try_new_null(&DataType::Struct(element.into())).unwrap_or(ScalarValue::Null);
    all.push(("_pg_expandarray", no_element));
    all.extend([
        ("current_database", ScalarValue::from(CATALOG)),
        ("current_schema", ScalarValue::from("public")),
        ("pg_char_to_encoding", ScalarValue::from(6_i32)),
        ("pg_is_in_recovery", ScalarValue::from(false)),
        ("txid_current", ScalarValue::from(1_i64)),
    ]);
    all
}

/// Registers the functions that all connections share; if the engine has one of the same name, the engine's stays.
pub(super) fn register(context: &SessionContext, names: &Arc<CatalogOids>) {
    for (name, value) in fixed() {
        if context.udf(name).is_err() {
            context.register_udf(ScalarUDF::from(ConstantFunction::any(name, value)));
        }
    }
    LookupFunction::all(names).for_each(|function| context.register_udf(ScalarUDF::from(function)));
}

/// Registers the functions that depend on the connection.
pub(super) fn register_of(context: &SessionContext, settings: &Arc<Settings>, pid: i32, user: &str) {
    let version = format!("PostgreSQL {SERVER_VERSION} (flowsift {})", env!("CARGO_PKG_VERSION"));
    for (name, value) in [
        ("version", ScalarValue::from(version)),
        ("pg_backend_pid", ScalarValue::from(pid)),
        ("session_user", ScalarValue::from(user)),
        ("current_user", ScalarValue::from(user)),
        ("current_role", ScalarValue::from(user)),
        ("pg_get_userbyid", ScalarValue::from(user)),
    ] {
        context.register_udf(ScalarUDF::from(ConstantFunction::any(name, value)));
    }
    let signature = Signature::one_of((1..4).map(TypeSignature::Any).collect(), Volatility::Stable);
    for sets in [false, true] {
        let function = Setting { settings: settings.clone(), sets, signature: signature.clone() };
        context.register_udf(ScalarUDF::from(function));
    }
}

/// Returns the signature of a function that takes whatever it is given.
pub(super) fn any_arguments() -> Signature {
    Signature::one_of(vec![TypeSignature::Nullary, TypeSignature::VariadicAny], Volatility::Stable)
}

/// A function that returns one value, whatever its arguments are.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ConstantFunction {
    name: &'static str,
    value: ScalarValue,
    signature: Signature,
}

impl ConstantFunction {
    fn any(name: &'static str, value: ScalarValue) -> Self {
        Self { name, value, signature: any_arguments() }
    }
}

impl ScalarUDFImpl for ConstantFunction {
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
