//! Collects the flow records of one unit of work, object by object, on any number of threads.

use super::interface::{Interface, InterfaceTexts, Interfaces, Services};
use super::packed::{FLAGS_KNOWN, NO_SERVICE, OUTBOUND, PackedFlow, REJECTED, TRANSLATED, UNDECIDED, is_some, narrow};
use super::{RollupOptions, UnitCounts};
use crate::flow::codes::TCP;
use crate::flow::schema::Field;
use crate::flow::time::hour_of;
use crate::scan::batch::TEXT_FIELDS;
use crate::scan::{Books, Decision, FlowBatch, MISSING, NONE};
use std::sync::{Mutex, PoisonError};

/// Parts that a unit's records are spread over, so that each fits the caches when it is folded.
pub(super) const PARTS: usize = 128;

/// The records of one unit so far. Objects are added whole, or not at all.
#[derive(Debug)]
pub struct UnitRollup {
    pub(super) options: RollupOptions,
    pub(super) books: Books,
    pub(super) content: Mutex<Content>,
}

#[derive(Debug)]
pub(super) struct Content {
    pub(super) parts: Vec<Vec<PackedFlow>>,
    pub(super) interfaces: Interfaces,
    pub(super) services: Services,
    pub(super) counts: UnitCounts,
}

impl UnitRollup {
    /// Makes an empty unit.
    pub fn new(options: RollupOptions) -> Self {
        let content = Content {
            parts: vec![Vec::new(); PARTS],
            interfaces: Interfaces::default(),
            services: Services::default(),
            counts: UnitCounts::default(),
        };
        Self { options, books: Books::default(), content: Mutex::new(content) }
    }

    /// The unit's books, for the scan of its objects.
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// Begins an object: its records count once [`ObjectRollup::commit`] is called.
    pub fn object(&self) -> ObjectRollup<'_> {
        ObjectRollup {
            unit: self,
            parts: vec![Vec::new(); PARTS],
            interfaces: Interfaces::default(),
            counts: UnitCounts::default(),
            services: Services::default(),
        }
    }

    /// Bytes of memory that the collected records take, about.
    pub fn memory_bytes(&self) -> usize {
        let content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        content.parts.iter().map(|part| part.capacity() * size_of::<PackedFlow>()).sum()
    }
}

/// The records of one object, not yet part of its unit.
#[derive(Debug)]
pub struct ObjectRollup<'a> {
    unit: &'a UnitRollup,
    parts: Vec<Vec<PackedFlow>>,
    interfaces: Interfaces,
    counts: UnitCounts,
    services: Services,
}

fn text_at(field: Field) -> usize {
    TEXT_FIELDS.iter().position(|text| *text == field).unwrap_or(0)
}

impl ObjectRollup<'_> {
    /// Adds a batch of flow records.
    pub fn add(&mut self, batch: &FlowBatch) {
        let (interface_at, instance_at) = (text_at(Field::InterfaceId), text_at(Field::InstanceId));
        let (src_service_at, dst_service_at) = (text_at(Field::PktSrcAwsService), text_at(Field::PktDstAwsService));
        let instances_known = batch.texts[instance_at].iter().any(|codes| codes.is_present());
        let flags_known = !batch.tcp_flags.is_empty();
        let number = |column: &[i64], row: usize| column.get(row).copied().unwrap_or(MISSING);
        // Records of one ENI mostly follow each other, so the look-up of the last one is kept.
        let mut last = (NONE - 1, 0u32);
        self.counts.rows += batch.rows as u64;
        for row in 0..batch.rows {
            let name = batch.text(interface_at, row);
            if name != last.0 {
                last = (name, self.interfaces.position(name, || Interface::new(texts_of(batch, row))));
            }
            let interface = last.1;
            let Some(start_s) = narrow::<u32>(number(&batch.start_s, row)) else {
                self.counts.unusable += 1;
                continue;
            };
            let end_s = narrow::<u32>(number(&batch.end_s, row)).unwrap_or(start_s).max(start_s);
            let duration_s = u16::try_from(end_s - start_s).unwrap_or(u16::MAX);
            let entry = &mut self.interfaces.entries[interface as usize].1;
            let coverage = entry.hours.at(hour_of(i64::from(start_s)));
            coverage.records += 1;
            let status = batch.log_status.get(row);
            if status == Decision::NoData {
                coverage.nodata += 1;
                self.counts.nodata += 1;
                continue;
            }
            if status == Decision::SkipData {
                coverage.skipdata += 1;
                coverage.skipdata_s = (coverage.skipdata_s + u32::from(duration_s) + 1).min(3_600);
                self.counts.skipdata += 1;
                continue;
            }
            let (src, dst) = (batch.srcaddr.get(row), batch.dstaddr.get(row));
            let (pkt_src, pkt_dst) = (batch.pkt_srcaddr.get(row), batch.pkt_dstaddr.get(row));
            if !is_some(src) && !is_some(dst) && !batch.log_status.is_present() {
                coverage.nodata += 1;
                self.counts.nodata += 1;
                continue;
            }
            let far_src = if is_some(pkt_src) { pkt_src } else { src };
            let far_dst = if is_some(pkt_dst) { pkt_dst } else { dst };
            let protocol = narrow::<u8>(number(&batch.protocol, row));
            let bytes = narrow::<u64>(number(&batch.bytes, row));
            let (Some(protocol), Some(bytes)) = (protocol, bytes) else {
                self.counts.unusable += 1;
                continue;
            };
            if !is_some(far_src) || !is_some(far_dst) {
                self.counts.unusable += 1;
                continue;
            }
            if !self.unit.options.holds(i64::from(start_s)) {
                self.counts.outside += 1;
                continue;
            }
            entry.longest_record_s = entry.longest_record_s.max(duration_s);
            let names_instance = || instances_known && is_some(batch.text(instance_at, row));
            if !entry.described || (!is_some(entry.texts.instance) && names_instance()) {
                // Windows without traffic leave most texts out, so records with traffic tell them.
                let texts = texts_of(batch, row);
                entry.describe(texts, instances_known && !is_some(texts.instance));
            }
            let mut flow = PackedFlow {
                bytes,
                host: far_src,
                remote: far_dst,
                interface,
                start_s,
                packets: narrow(number(&batch.packets, row)).unwrap_or(0),
                host_port: narrow(number(&batch.srcport, row)).unwrap_or(0),
                remote_port: narrow(number(&batch.dstport, row)).unwrap_or(0),
                duration_s,
                protocol,
                tcp_flags: narrow(number(&batch.tcp_flags, row)).unwrap_or(0),
                bits: OUTBOUND,
                service: NO_SERVICE,
            };
            let src_translated = is_some(pkt_src) && pkt_src != src;
            let dst_translated = is_some(pkt_dst) && pkt_dst != dst;
            if src_translated || dst_translated {
                flow.bits |= TRANSLATED;
                entry.translates = true;
            }
            if flags_known && protocol == TCP {
                flow.bits |= FLAGS_KNOWN;
            }
            if batch.action.get(row) == Decision::Reject {
                flow.bits |= REJECTED;
                self.counts.rejected += 1;
            }
            let direction = batch.flow_direction.get(row);
            let service = if direction == Decision::Ingress {
                flow.swap();
                batch.text(src_service_at, row)
            } else if direction == Decision::Egress {
                batch.text(dst_service_at, row)
            } else {
                // An ENI translates its own side only: a pod's or a secondary address behind the primary one.
                if src_translated == dst_translated {
                    flow.bits |= UNDECIDED;
                } else if dst_translated {
                    flow.swap();
                }
                for address in [src, dst].into_iter().filter(|address| is_some(*address)) {
                    *entry.votes.entry(address).or_default() += 1;
                }
                NONE
            };
            if is_some(service) {
                flow.service = self.services.number(service);
            }
            self.parts[flow.part(PARTS)].push(flow);
        }
    }

    /// Makes the object's records part of its unit.
    pub fn commit(self) {
        let mut content = self.unit.content.lock().unwrap_or_else(PoisonError::into_inner);
        let Content { parts, interfaces, services, counts } = &mut *content;
        let positions = self.unit.books.texts.read(|texts| interfaces.merge(&self.interfaces, texts));
        // An object numbers services by itself; a unit knows them by their number in the text book.
        let services = services.merge(&self.services);
        for (part, mut mine) in parts.iter_mut().zip(self.parts) {
            for flow in &mut mine {
                flow.interface = positions[flow.interface as usize];
                flow.service = services.get(usize::from(flow.service)).copied().unwrap_or(NO_SERVICE);
            }
            if part.is_empty() {
                *part = mine;
            } else {
                part.extend_from_slice(&mine);
            }
        }
        counts.add(&self.counts);
    }
}

fn texts_of(batch: &FlowBatch, row: usize) -> InterfaceTexts {
    let text = |field| batch.text(text_at(field), row);
    InterfaceTexts {
        account: text(Field::AccountId),
        instance: text(Field::InstanceId),
        vpc: text(Field::VpcId),
        subnet: text(Field::SubnetId),
        kind: text(Field::InterfaceType),
        region: text(Field::Region),
    }
}
