//! Records as AWS delivers them: columns, Parquet files and keys of objects.

pub mod columns;
pub mod object_names;

pub mod flow_file;
