//! One hour of realistic flow logs, as the file that AWS would have delivered and as batches.

use corpus::{GenerateOptions, HubShares, generate};
use scan::DecodePath;
use scan::object::{footer, scan_with};
use scan::{FlowBatch, Interners, ObjectBytes, PresentColumns, ROLLUP_FIELDS};
use std::sync::{Arc, LazyLock};

/// About 200,000 records of 400 hosts in one gzip file with fields of version 5, written by the corpus generator.
pub static FILE: LazyLock<Arc<ObjectBytes>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder for the sample");
    let options = GenerateOptions {
        out: folder.path().join("corpus"),
        rows: 200_000,
        hosts: 400,
        hours: 1,
        files_per_hour: 1,
        attack_hosts: 0,
        // Results of earlier versions are of the same bytes.
        hubs: Some(HubShares::NONE),
        ..GenerateOptions::default()
    };
    let made = generate(&options, &|_| {}).expect("a corpus");
    let largest = made.files.iter().max_by_key(|file| file.bytes).expect("a file");
    let bytes = std::fs::read(options.out.join(&largest.path)).expect("the file's bytes");
    Arc::new(ObjectBytes::Whole(bytes.into()))
});

/// Scans the sample and passes each batch to `sink`; returns the number of records.
pub fn scan_sample(way: DecodePath, books: &Interners, sink: impl FnMut(&FlowBatch)) -> u64 {
    let bytes = &*FILE;
    let metadata = footer("sample", bytes).expect("a footer");
    scan_with(way, "sample", bytes, &metadata, ROLLUP_FIELDS, books, sink).expect("records")
}

/// The sample's batches, without the columns that only describe an ENI, and their interners.
pub fn batches() -> (Vec<FlowBatch>, Interners) {
    let books = Interners::default();
    let mut batches = Vec::new();
    scan_sample(DecodePath::Native, &books, |batch| batches.push(copy(batch)));
    (batches, books)
}

fn copy(batch: &FlowBatch) -> FlowBatch {
    let mut copy = FlowBatch::default();
    copy.rows = batch.rows;
    // Nothing describes the ENIs, so none is a gateway.
    copy.present = PresentColumns { eni_metadata: 0, ..batch.present };
    copy.start_s.clone_from(&batch.start_s);
    copy.end_s.clone_from(&batch.end_s);
    copy.srcport.clone_from(&batch.srcport);
    copy.dstport.clone_from(&batch.dstport);
    copy.protocol.clone_from(&batch.protocol);
    copy.packets.clone_from(&batch.packets);
    copy.bytes.clone_from(&batch.bytes);
    copy.tcp_flags.clone_from(&batch.tcp_flags);
    copy.srcaddr.clone_from(&batch.srcaddr);
    copy.dstaddr.clone_from(&batch.dstaddr);
    copy.pkt_srcaddr.clone_from(&batch.pkt_srcaddr);
    copy.pkt_dstaddr.clone_from(&batch.pkt_dstaddr);
    copy.action.clone_from(&batch.action);
    copy.log_status.clone_from(&batch.log_status);
    copy.flow_direction.clone_from(&batch.flow_direction);
    copy.interface.clone_from(&batch.interface);
    copy.src_service.clone_from(&batch.src_service);
    copy.dst_service.clone_from(&batch.dst_service);
    copy
}
