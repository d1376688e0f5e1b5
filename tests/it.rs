//! The whole program, seen from outside.
mod s3_server;
mod s3_source;
