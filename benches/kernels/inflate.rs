//! One gzip page of numbers: libdeflate with its guards against flate2.

use crate::sample::batches;
use criterion::{Criterion, Throughput};
use scan::Decompressor;
use std::hint::black_box;
use std::io::{Read, Write};

pub fn bench(criterion: &mut Criterion) {
    // A page of 131,072 numbers as AWS's writer leaves it: 64 bits each, mostly small.
    let data: Vec<u8> = batches().0.iter().flat_map(|b| &b.bytes).take(1 << 17).flat_map(|n| n.to_le_bytes()).collect();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&data).expect("gzip into memory");
    let page = encoder.finish().expect("gzip into memory");

    let mut inflater = Decompressor::new();
    let mut buffer = Vec::new();
    let flate2 = |buffer: &mut Vec<u8>| {
        buffer.clear();
        flate2::read::GzDecoder::new(&page[..]).read_to_end(buffer).expect("a gzip page")
    };
    assert_eq!(inflater.gzip_into(&page, data.len(), &mut buffer).expect("a gzip page"), data.len());
    assert!(buffer == data, "libdeflate gives back what was compressed");
    assert_eq!(flate2(&mut buffer), data.len());
    assert!(buffer == data, "flate2 gives back what was compressed");

    let mut group = criterion.benchmark_group("inflate");
    group.throughput(Throughput::Bytes(data.len() as u64));
    group.bench_function("libdeflate", |bencher| {
        bencher.iter(|| inflater.gzip_into(black_box(&page), data.len(), &mut buffer).expect("a gzip page"));
    });
    let mut buffer = Vec::with_capacity(data.len());
    group.bench_function("flate2", |bencher| bencher.iter(|| flate2(black_box(&mut buffer))));
    group.finish();
}
