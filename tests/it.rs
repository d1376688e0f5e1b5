//! The whole program seen from outside: the binary on corpora, captures and an S3 server, the library on files of
//! every physical kind, and the walls between the rooms.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

#[path = "it/access_detections.rs"]
mod access_detections;
#[path = "it/access_life.rs"]
mod access_life;
#[path = "it/access_state.rs"]
mod access_state;
#[path = "it/accesses.rs"]
mod accesses;
#[path = "it/benign.rs"]
mod benign;
#[path = "it/campaigns.rs"]
mod campaigns;
#[path = "it/captures.rs"]
mod captures;
#[path = "it/command.rs"]
mod command;
#[path = "it/damaged_tables.rs"]
mod damaged_tables;
#[path = "it/dead_remotes.rs"]
mod dead_remotes;
#[path = "it/evasion.rs"]
mod evasion;
#[path = "it/exfiltration.rs"]
mod exfiltration;
#[path = "it/forms.rs"]
mod forms;
#[path = "it/forwarders.rs"]
mod forwarders;
#[path = "it/habits.rs"]
mod habits;
#[path = "it/hostile.rs"]
mod hostile;
#[path = "it/incident_life.rs"]
mod incident_life;
#[path = "it/incidents.rs"]
mod incidents;
#[path = "it/lakes.rs"]
mod lakes;
#[path = "it/log_gap.rs"]
mod log_gap;
#[path = "it/lone_beats.rs"]
mod lone_beats;
#[path = "it/memory.rs"]
mod memory;
#[path = "it/neighbours.rs"]
mod neighbours;
#[path = "it/network.rs"]
mod network;
#[path = "it/one_way.rs"]
mod one_way;
#[path = "it/other_commands.rs"]
mod other_commands;
#[path = "it/own_detections.rs"]
mod own_detections;
#[path = "it/page.rs"]
mod page;
#[path = "it/program.rs"]
mod program;
#[path = "it/query.rs"]
mod query;
#[path = "it/records.rs"]
mod records;
#[path = "it/repeatable.rs"]
mod repeatable;
#[path = "it/rooms.rs"]
mod rooms;
#[path = "it/runs.rs"]
mod runs;
#[path = "it/s3_detect.rs"]
mod s3_detect;
mod s3_server;
mod s3_source;
#[path = "it/s3_speed.rs"]
mod s3_speed;
#[path = "it/schemas.rs"]
mod schemas;
#[cfg(feature = "postgres")]
#[path = "it/serve.rs"]
mod serve;
#[path = "it/shares.rs"]
mod shares;
#[path = "it/sinks.rs"]
mod sinks;
#[path = "it/sql.rs"]
mod sql;
#[path = "it/sql_logic.rs"]
mod sql_logic;
#[path = "it/successors.rs"]
mod successors;
#[path = "it/suite.rs"]
mod suite;
#[path = "it/table_formats.rs"]
mod table_formats;
#[path = "it/time_filters.rs"]
mod time_filters;
#[path = "it/tutorial.rs"]
mod tutorial;
#[path = "it/words.rs"]
mod words;
