//! `rotating_statistics`, `pooled_statistics` and `typical_size`: trains judged together, those of a host's remotes or
//! of a remote's hosts.

use super::FunctionDoc;
use super::function::{Function, on_arrays, wrong_type};
use super::judgement::{interface_at, whole_numbers};
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, FixedSizeBinaryArray, Float64Array, Int64Array, ListArray, ListBuilder,
    StringArray, StringBuilder, StructArray, UInt32Array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields, Float64Type, Int64Type, UInt16Type, UInt32Type};
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;
use flow::Address;
use kernels::beacon::{BeaconStatistics, ObservedWindow};
use kernels::lost::Lost;
use kernels::pooled::{HostTrain, PooledJudgement, pooled};
use kernels::rotation::{RemoteTrain, RotationJudgement, rotation};
use kernels::sizes::{self, SizeCount};
use rayon::prelude::*;
use rollup::coverage::LostTimes;
use std::sync::Arc;

/// Optional sums of a member, and of a judgement, over the members that keep time together and no others. Of
/// connections, the sum is `connections_answered`: those of members that answered.
const SUMS: [&str; 4] = ["bytes_out", "bytes_in", "packets_out", "connections"];

/// Most addresses in `addresses`, which people read.
const LISTED: usize = 8;

const GROUP: &str = "judgements of a row";

const ROTATING: &str = "rotating_statistics";
const POOLED: &str = "pooled_statistics";

/// Documentation for `--functions` and the reference.
pub(super) const DOCS: &[FunctionDoc] = &[
    FunctionDoc {
        name: "typical_size",
        group: GROUP,
        call: "typical_size(sizes)",
        returns: "The median bytes out of a connection, from `sizes` of one row of `pairs`.",
        example: "typical_size([named_struct('bucket', arrow_cast(9, 'UInt16'), 'count', arrow_cast(6, 'UInt32'))])",
        result: "9.0",
    },
    FunctionDoc {
        name: ROTATING,
        group: GROUP,
        call: "rotating_statistics(members, from_s, to_s, window_s, most_p[, interface_id])",
        returns: "The judgement of remotes of one host taken together, as a struct: an implant may rotate over them. \
                `members` is a list of structs of `remote` (16 bytes), `starts`, `size` and optionally `silent`: \
                remotes that never answered may belong to any group, whatever was sent to them. Where members have \
                `bytes_out`, `bytes_in`, `packets_out`, `connections` or `first_contact`, the judgement has their sums \
                (`connections_answered` without those of silent members), and whether all contacts were the first. A group with a \
                p-value \
                above `most_p` only gets the p-value 1; NULL when no group of remotes was found. Within `detect`, \
                lost records of `interface_id` count neither as silence nor as missed beats. The formulas are in \
                `kernels::rotation`.",
        example: "rotating_statistics([named_struct('remote', address('192.0.2.1'), 'starts', [0, 600], 'size', 9.0)], \
                  0, 3600, 60, 1.0) IS NULL",
        result: "true",
    },
    FunctionDoc {
        name: POOLED,
        group: GROUP,
        call: "pooled_statistics(members, from_s, to_s, window_s, most_p)",
        returns: "The judgement of hosts of one remote taken together, as a struct: each may call too rarely to be \
                judged alone. `members` is a list of structs of `host` (16 bytes), `starts`, `size`, \
                `interface_id` and optionally the rest of what `rotating_statistics` takes. A pool with a p-value \
                above `most_p` only gets the p-value 1; NULL when fewer than two hosts have two starts or there are \
                fewer than twelve in all. The formulas are in \
                `kernels::pooled`.",
        example: "pooled_statistics([named_struct('host', address('10.0.0.1'), 'starts', [0, 600], 'size', 9.0, \
                  'interface_id', 'eni-1')], 0, 3600, 60, 1.0) IS NULL",
        result: "true",
    },
];

/// Creates the functions that judge trains together.
pub(super) fn functions(lost: &Arc<LostTimes>) -> Vec<ScalarUDF> {
    let fields = || DataType::Struct(together_fields());
    let (of_host, of_remote) = (lost.clone(), lost.clone());
    vec![
        Function::typed("typical_size", &[1], |_| Ok(DataType::Float64), on_arrays(typical_size_body)),
        Function::once(ROTATING, &[5, 6], fields(), on_arrays(move |args| rotation_body(args, &of_host))),
        Function::once(POOLED, &[5], fields(), on_arrays(move |args| pooled_body(args, &of_remote))),
    ]
}

/// Returns the median size of a pair's connections in bytes.
fn typical_size_body(args: &[ArrayRef]) -> Result<ArrayRef> {
    let wrong = || wrong_type("typical_size", "sizes", "a list of buckets");
    let lists = args[0].as_list_opt::<i32>().ok_or_else(wrong)?;
    let values = lists.values().as_struct_opt().ok_or_else(wrong)?;
    let buckets = values.column(0).as_primitive_opt::<UInt16Type>().ok_or_else(wrong)?;
    let counts = values.column(1).as_primitive_opt::<UInt32Type>().ok_or_else(wrong)?;
    let typical = (0..lists.len()).map(|row| {
        let (from, to) = (lists.value_offsets()[row] as usize, lists.value_offsets()[row + 1] as usize);
        let histogram: Vec<SizeCount> =
            (from..to).map(|at| SizeCount::new(buckets.value(at), counts.value(at))).collect();
        sizes::quantile(&histogram, 0.5)
    });
    Ok(Arc::new(typical.collect::<Float64Array>()))
}

/// Returns the fields of the results.
fn together_fields() -> Fields {
    let float = |name: &str| Field::new(name, DataType::Float64, true);
    let texts = |name: &str| Field::new(name, DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))), true);
    vec![
        float("period_s"),
        float("jitter_ratio"),
        float("missed_ratio"),
        float("p_value"),
        float("member_p_value"),
        float("score"),
        Field::new("method", DataType::Utf8, true),
        Field::new("clock_period_s", DataType::UInt32, true),
        Field::new("possible_clock_s", DataType::UInt32, true),
        Field::new("resolution_s", DataType::UInt32, true),
        Field::new("check_ins", DataType::UInt32, true),
        Field::new("connections", DataType::UInt32, true),
        Field::new("members", DataType::UInt32, true),
        texts("addresses"),
        texts("all_addresses"),
        Field::new("silent", DataType::UInt32, true),
        Field::new("first_contact", DataType::Boolean, true),
        Field::new(SUMS[0], DataType::Int64, true),
        Field::new(SUMS[1], DataType::Int64, true),
        Field::new(SUMS[2], DataType::Int64, true),
        Field::new("connections_answered", DataType::Int64, true),
        Field::new("first_s", DataType::Int64, true),
        Field::new("last_s", DataType::Int64, true),
        float("span_ratio"),
        float("rita_score"),
    ]
    .into()
}

/// The member lists of all rows, and the other arguments of the functions.
struct TrainArguments<'a> {
    lists: &'a ListArray,
    addresses: &'a FixedSizeBinaryArray,
    starts: &'a ListArray,
    seconds: &'a [i64],
    sizes: &'a Float64Array,
    /// Optional, one per member.
    interfaces: Option<ArrayRef>,
    /// Optional, one per member: whether it never answered, or was never answered.
    silent: Option<&'a BooleanArray>,
    /// Optional, one per member: whether it was first met in the window.
    first_contact: Option<&'a BooleanArray>,
    /// Optional, one per member and entry of [`SUMS`].
    sums: [Option<Int64Array>; 4],
    windows: [Int64Array; 3],
    most_p: Float64Array,
}

impl<'a> TrainArguments<'a> {
    fn new(name: &'static str, args: &'a [ArrayRef]) -> Result<Self> {
        let wrong = || wrong_type(name, "members", "a list of structs that begin with address, starts and size");
        let lists = args[0].as_list_opt::<i32>().ok_or_else(wrong)?;
        let values = lists.values().as_struct_opt().filter(|values| values.num_columns() >= 3);
        let values = values.ok_or_else(wrong)?;
        let starts = values.column(1).as_list_opt::<i32>().ok_or_else(wrong)?;
        let number = |at: usize, argument: &str| whole_numbers(name, args, at, argument);
        let summand = |name: &str| -> Result<Option<Int64Array>> {
            let column = values.column_by_name(name).map(|column| cast(column, &DataType::Int64)).transpose()?;
            Ok(column.and_then(|column| column.as_primitive_opt::<Int64Type>().cloned()))
        };
        let most_p = cast(&args[4], &DataType::Float64)?;
        let most_p = most_p.as_primitive_opt::<Float64Type>();
        Ok(Self {
            lists,
            addresses: values.column(0).as_fixed_size_binary_opt().ok_or_else(wrong)?,
            starts,
            seconds: starts.values().as_primitive_opt::<Int64Type>().ok_or_else(wrong)?.values(),
            sizes: values.column(2).as_primitive_opt::<Float64Type>().ok_or_else(wrong)?,
            interfaces: values.column_by_name("interface_id").map(|names| cast(names, &DataType::Utf8)).transpose()?,
            silent: values.column_by_name("silent").and_then(|silent| silent.as_boolean_opt()),
            first_contact: values.column_by_name("first_contact").and_then(|first| first.as_boolean_opt()),
            sums: [summand(SUMS[0])?, summand(SUMS[1])?, summand(SUMS[2])?, summand(SUMS[3])?],
            windows: [number(1, "from_s")?, number(2, "to_s")?, number(3, "window_s")?],
            most_p: most_p.ok_or_else(|| wrong_type(name, "most_p", "a number"))?.clone(),
        })
    }

    /// Returns the members of a row sorted by address, with their indices, so that the order in which they were
    /// gathered does not matter.
    fn members(&self, row: usize) -> Vec<(Address, usize)> {
        let (from, to) = (self.lists.value_offsets()[row] as usize, self.lists.value_offsets()[row + 1] as usize);
        let address = |at: usize| self.addresses.value(at).try_into().ok().map(Address::from_bytes);
        let mut places: Vec<(Address, usize)> = (from..to).filter_map(|at| Some((address(at)?, at))).collect();
        places.sort_unstable();
        places
    }

    fn starts_of(&self, place: usize) -> &'a [i64] {
        let (begin, end) =
            (self.starts.value_offsets()[place] as usize, self.starts.value_offsets()[place + 1] as usize);
        &self.seconds[begin..end]
    }

    fn size_of(&self, place: usize) -> f64 {
        if self.sizes.is_null(place) { 0.0 } else { self.sizes.value(place) }
    }

    fn is_silent(&self, place: usize) -> bool {
        self.silent.is_some_and(|silent| silent.is_valid(place) && silent.value(place))
    }

    /// Returns whether all members whose first contact is known were first met in the window; `None` if none is known.
    fn first_contact_of(&self, places: &[usize]) -> Option<bool> {
        let first = self.first_contact?;
        let mut known = places.iter().filter(|&&at| first.is_valid(at)).peekable();
        known.peek()?;
        Some(known.all(|&at| first.value(at)))
    }

    /// Returns the sum of an entry of [`SUMS`]; of connections, only of members that answered.
    fn sum_of(&self, entry: usize, places: &[usize]) -> Option<i64> {
        let summands = self.sums[entry].as_ref()?;
        let counts = |at: usize| summands.is_valid(at) && !(SUMS[entry] == "connections" && self.is_silent(at));
        Some(places.iter().filter(|&&at| counts(at)).fold(0_i64, |sum, &at| sum.saturating_add(summands.value(at))))
    }

    fn observed(&self, row: usize) -> ObservedWindow {
        let [from_s, to_s, window_s] = &self.windows;
        let window_s = u32::try_from(window_s.value(row)).unwrap_or(60).max(1);
        ObservedWindow { from_s: from_s.value(row), to_s: to_s.value(row), window_s }
    }
}

/// Several trains that together show what none shows alone.
struct JointTiming {
    addresses: Vec<String>,
    /// How many of them never answered, or were never answered.
    silent: usize,
    first_contact: Option<bool>,
    /// One per entry of [`SUMS`].
    sums: [Option<i64>; 4],
    union: BeaconStatistics,
    member_p_value: f64,
    seen_s: (i64, i64),
}

impl JointTiming {
    fn new(
        given: &TrainArguments<'_>,
        places: &[(Address, usize)],
        members: &[usize],
        union: BeaconStatistics,
        member_p_value: f64,
        seen_s: (i64, i64),
    ) -> Self {
        let addresses = members.iter().map(|&at| places[at].0.to_string()).collect();
        let places: Vec<usize> = members.iter().map(|&at| places[at].1).collect();
        Self {
            addresses,
            silent: places.iter().filter(|&&place| given.is_silent(place)).count(),
            first_contact: given.first_contact_of(&places),
            sums: [0, 1, 2, 3].map(|entry| given.sum_of(entry, &places)),
            union,
            member_p_value,
            seen_s,
        }
    }
}

/// A row's judgement: `None` where there was nothing to judge, `Some(None)` where the timing is random.
type JudgedRow = Option<Option<JointTiming>>;

/// Judges the remotes of each row, on all threads.
fn rotation_body(args: &[ArrayRef], lost: &LostTimes) -> Result<ArrayRef> {
    let given = TrainArguments::new(ROTATING, args)?;
    let interfaces = args.get(5).map(|array| cast(array, &DataType::Utf8)).transpose()?;
    let judge = |row: usize| -> JudgedRow {
        let places = given.members(row);
        let member = |&(_, at): &(Address, usize)| RemoteTrain {
            starts_s: given.starts_of(at),
            size_bytes: given.size_of(at),
            silent: given.is_silent(at),
        };
        let members: Vec<RemoteTrain<'_>> = places.iter().map(member).collect();
        let lost = interface_at(interfaces.as_ref(), row).map_or(Lost::NONE, |interface| lost.of(interface));
        Some(match rotation(&members, &given.observed(row), lost, given.most_p.value(row))? {
            RotationJudgement::Random => None,
            RotationJudgement::Described(found) => {
                let seen_s = (found.first_seen_s, found.last_seen_s);
                Some(JointTiming::new(&given, &places, &found.members, found.union, found.member_p_value, seen_s))
            }
        })
    };
    columns((0..given.lists.len()).into_par_iter().map(judge).collect())
}

/// Judges the hosts of each row, on all threads.
fn pooled_body(args: &[ArrayRef], lost: &LostTimes) -> Result<ArrayRef> {
    let given = TrainArguments::new(POOLED, args)?;
    let judge = |row: usize| -> JudgedRow {
        let places = given.members(row);
        let source = |&(_, at): &(Address, usize)| HostTrain {
            starts_s: given.starts_of(at),
            lost: interface_at(given.interfaces.as_ref(), at).map_or(Lost::NONE, |interface| lost.of(interface)),
            size_bytes: given.size_of(at),
        };
        let sources: Vec<HostTrain<'_>> = places.iter().map(source).collect();
        Some(match pooled(&sources, &given.observed(row), given.most_p.value(row))? {
            PooledJudgement::Random => None,
            PooledJudgement::Described(found) => {
                let seen_s = (found.first_seen_s, found.last_seen_s);
                Some(JointTiming::new(&given, &places, &found.members, found.union, found.member_p_value, seen_s))
            }
        })
    };
    columns((0..given.lists.len()).into_par_iter().map(judge).collect())
}

fn columns(judged: Vec<JudgedRow>) -> Result<ArrayRef> {
    let described: Vec<Option<&JointTiming>> = judged.iter().map(|row| row.as_ref().and_then(Option::as_ref)).collect();
    let float = |pick: &dyn Fn(&JointTiming) -> f64| -> ArrayRef {
        Arc::new(described.iter().map(|row| row.map(pick)).collect::<Float64Array>())
    };
    let whole = |pick: &dyn Fn(&JointTiming) -> Option<u32>| -> ArrayRef {
        Arc::new(described.iter().map(|row| row.and_then(pick)).collect::<UInt32Array>())
    };
    let second = |pick: &dyn Fn(&JointTiming) -> i64| -> ArrayRef {
        Arc::new(described.iter().map(|row| row.map(pick)).collect::<Int64Array>())
    };
    let sum = |entry: usize| -> ArrayRef {
        Arc::new(described.iter().map(|row| row.and_then(|found| found.sums[entry])).collect::<Int64Array>())
    };
    let texts = |most: usize| -> ArrayRef {
        let mut listed = ListBuilder::new(StringBuilder::new());
        for row in &described {
            row.iter()
                .flat_map(|found| found.addresses.iter().take(most))
                .for_each(|name| listed.values().append_value(name));
            listed.append(row.is_some());
        }
        Arc::new(listed.finish())
    };
    let p_values = judged.iter().map(|row| row.as_ref().map(|f| f.as_ref().map_or(1.0, |found| found.union.p_value)));
    let methods = described.iter().map(|row| row.map(|found| found.union.method.name()));
    let columns: Vec<ArrayRef> = vec![
        float(&|found| found.union.period_s),
        float(&|found| found.union.jitter_ratio),
        float(&|found| found.union.missed_ratio),
        Arc::new(p_values.collect::<Float64Array>()),
        float(&|found| found.member_p_value),
        float(&|found| found.union.score),
        Arc::new(methods.collect::<StringArray>()),
        whole(&|found| found.union.clock_period_s),
        whole(&|found| found.union.possible_clock_s),
        whole(&|found| Some(found.union.resolution_s)),
        whole(&|found| Some(found.union.check_ins)),
        whole(&|found| Some(found.union.connections)),
        whole(&|found| Some(found.addresses.len() as u32)),
        texts(LISTED),
        texts(usize::MAX),
        whole(&|found| Some(found.silent as u32)),
        Arc::new(described.iter().map(|row| row.and_then(|found| found.first_contact)).collect::<BooleanArray>()),
        sum(0),
        sum(1),
        sum(2),
        sum(3),
        second(&|found| found.seen_s.0),
        second(&|found| found.seen_s.1),
        float(&|found| found.union.span_ratio),
        float(&|found| found.union.rita_score),
    ];
    let nulls = NullBuffer::from_iter(judged.iter().map(Option::is_some));
    Ok(Arc::new(StructArray::try_new(together_fields(), columns, Some(nulls))?))
}
