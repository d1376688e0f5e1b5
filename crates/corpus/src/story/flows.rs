//! The flow logs of a story: the everyday traffic of hosts, and every connection that the other logs tell of.

use arrow::datatypes::SchemaRef;
use rayon::prelude::*;

use super::estate::Estate;
use crate::error::CorpusError;
use crate::generate::Background;
use crate::objects::columns::schema;
use crate::objects::flow_file::{CorpusFile, write_flow_file};
use crate::objects::object_names::object_key;
use crate::traffic::connection::Connection;
use crate::traffic::records::{HourRecords, Record};

/// Most records of a file; a day of a small company is one file.
const MAX_FILE_RECORDS: usize = 200_000;

/// The flow logs, day by day.
pub struct Flows<'a> {
    estate: &'a Estate,
    background: Background<'a>,
    schema: SchemaRef,
    /// Connections that go on in the next hour.
    open: Vec<Connection>,
}

impl<'a> Flows<'a> {
    /// Prepares the flow logs of a story.
    ///
    /// # Errors
    /// [`CorpusError::InvalidOption`] when the hosts have no room for their traffic.
    pub fn new(estate: &'a Estate) -> Result<Self, CorpusError> {
        let background = Background::new(&estate.world, &estate.flows)?;
        Ok(Self { estate, background, schema: schema(estate.flows.fields_version), open: Vec::new() })
    }

    /// Writes the files of a day, numbered from 0, with its connections by ascending start. Of a lost day nothing is
    /// written.
    ///
    /// # Errors
    /// The file that could not be written, and the reason.
    pub fn write_day(&mut self, day: u32, connections: &[Connection]) -> Result<Vec<CorpusFile>, CorpusError> {
        let records = self.records(day, connections);
        let estate = self.estate;
        let day_s = estate.times.day_s(day);
        if !estate.times.is_kept(day_s) {
            return Ok(Vec::new());
        }
        let files: Vec<&[Record]> = records.chunks(MAX_FILE_RECORDS).collect();
        let write = |(part, records): (usize, &&[Record])| {
            let key = object_key(&estate.flows, &estate.world.sites[0], 0, day_s, part as u32);
            let path = key.split('/').fold(estate.flows.out.clone(), |path, name| path.join(name));
            let bytes = write_flow_file(&estate.world, &estate.flows, &self.schema, &path, records)?;
            Ok(CorpusFile { path: key, rows: records.len() as u64, bytes })
        };
        files.par_iter().enumerate().map(write).collect()
    }

    fn records(&mut self, day: u32, mut connections: &[Connection]) -> Vec<Record> {
        let (world, options) = (&self.estate.world, &self.estate.flows);
        let mut records = Vec::new();
        for hour in day * 24..(day + 1) * 24 {
            let mut made = self.background.hour(hour);
            let begin_s = (hour * 3_600) as i32;
            let mut own = HourRecords::new(begin_s, hour + 1 == options.hours, options.window_s);
            self.open.retain(|connection| connection.write(world, &mut own));
            let (begun, later) =
                connections.split_at(connections.partition_point(|connection| connection.begin < begin_s + 3_600));
            connections = later;
            self.open.extend(begun.iter().filter(|connection| connection.write(world, &mut own)));
            made.push(own);
            for minute in 0..60 {
                made.iter().for_each(|of| records.extend_from_slice(&of.records[minute]));
            }
        }
        records
    }
}
