//! The fields of VPC flow records, versions 2 to 11, and their other names.

/// Physical kind of a field as AWS writes it to Parquet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldKind {
    /// UTF-8 text; missing is the literal `-`.
    Text,
    /// 32-bit number; missing is NULL.
    Int32,
    /// 64-bit number; missing is NULL.
    Int64,
}

macro_rules! fields {
    ($($variant:ident $name:literal $version:literal $kind:ident [$($alias:literal),*];)*) => {
        /// A field of a VPC flow record, in AWS's table order.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Field {
            $(#[doc = concat!("`", $name, "` of version ", stringify!($version), ".")] $variant,)*
        }

        /// Every field, in AWS's table order.
        pub const FIELDS: &[Field] = &[$(Field::$variant,)*];

        impl Field {
            /// Returns the Parquet column name, such as `srcaddr`.
            pub const fn name(self) -> &'static str {
                match self { $(Field::$variant => $name,)* }
            }

            /// Returns the flow log version that introduced the field: 2–11.
            pub const fn version(self) -> u8 {
                match self { $(Field::$variant => $version,)* }
            }

            /// Returns the physical kind that AWS writes.
            pub const fn kind(self) -> FieldKind {
                match self { $(Field::$variant => FieldKind::$kind,)* }
            }

            /// Returns the other names of the field, lower case, best first.
            pub const fn aliases(self) -> &'static [&'static str] {
                match self { $(Field::$variant => &[$($alias),*],)* }
            }
        }
    };
}

fields! {
    Version "version" 2 Int32 [];
    AccountId "account_id" 2 Text ["accountid", "account", "cloud.account.id", "cloud.account.uid", "cloud.account_uid"];
    InterfaceId "interface_id" 2 Text ["interfaceid", "src_endpoint.interface_uid", "dst_endpoint.interface_uid"];
    Srcaddr "srcaddr" 2 Text ["sourceaddress", "src_addr", "src_endpoint.intermediate_ips", "src_endpoint.ip", "source.ip", "source.address"];
    Dstaddr "dstaddr" 2 Text ["destinationaddress", "dst_addr", "dst_endpoint.intermediate_ips", "dst_endpoint.ip", "destination.ip", "destination.address"];
    Srcport "srcport" 2 Int32 ["sourceport", "src_port", "src_endpoint.port", "source.port"];
    Dstport "dstport" 2 Int32 ["destinationport", "dst_port", "dst_endpoint.port", "destination.port"];
    Protocol "protocol" 2 Int32 ["protocol_num", "connection_info.protocol_num", "network.iana_number"];
    Packets "packets" 2 Int64 ["numpackets", "traffic.packets", "network.packets"];
    Bytes "bytes" 2 Int64 ["numbytes", "traffic.bytes", "network.bytes", "source.bytes"];
    Start "start" 2 Int64 ["starttime", "start_time", "start_time_dt", "event.start"];
    End "end" 2 Int64 ["endtime", "end_time", "end_time_dt", "event.end"];
    Action "action" 2 Text ["disposition", "activity_name"];
    LogStatus "log_status" 2 Text ["logstatus", "status_code"];
    VpcId "vpc_id" 3 Text ["vpcid", "src_endpoint.vpc_uid", "dst_endpoint.vpc_uid"];
    SubnetId "subnet_id" 3 Text ["subnetid", "src_endpoint.subnet_uid", "dst_endpoint.subnet_uid"];
    InstanceId "instance_id" 3 Text ["instanceid", "src_endpoint.instance_uid", "dst_endpoint.instance_uid"];
    TcpFlags "tcp_flags" 3 Int32 ["tcpflags", "connection_info.tcp_flags"];
    Type "type" 3 Text ["connection_info.protocol_ver"];
    PktSrcaddr "pkt_srcaddr" 3 Text ["pktsrcaddr", "pkt_src_addr"];
    PktDstaddr "pkt_dstaddr" 3 Text ["pktdstaddr", "pkt_dst_addr"];
    Region "region" 4 Text ["cloud.region"];
    AzId "az_id" 4 Text ["azid", "cloud.zone"];
    SublocationType "sublocation_type" 4 Text ["sublocationtype"];
    SublocationId "sublocation_id" 4 Text ["sublocationid"];
    PktSrcAwsService "pkt_src_aws_service" 5 Text ["pktsrcawsservice", "src_endpoint.svc_name"];
    PktDstAwsService "pkt_dst_aws_service" 5 Text ["pktdstawsservice", "dst_endpoint.svc_name"];
    FlowDirection "flow_direction" 5 Text ["flowdirection", "connection_info.direction", "network.direction"];
    TrafficPath "traffic_path" 5 Int32 ["trafficpath"];
    EcsClusterArn "ecs_cluster_arn" 7 Text [];
    EcsClusterName "ecs_cluster_name" 7 Text [];
    EcsContainerInstanceArn "ecs_container_instance_arn" 7 Text [];
    EcsContainerInstanceId "ecs_container_instance_id" 7 Text [];
    EcsContainerId "ecs_container_id" 7 Text [];
    EcsSecondContainerId "ecs_second_container_id" 7 Text [];
    EcsServiceName "ecs_service_name" 7 Text [];
    EcsTaskDefinitionArn "ecs_task_definition_arn" 7 Text [];
    EcsTaskArn "ecs_task_arn" 7 Text [];
    EcsTaskId "ecs_task_id" 7 Text [];
    RejectReason "reject_reason" 8 Text [];
    ResourceId "resource_id" 9 Text [];
    EncryptionStatus "encryption_status" 10 Int32 [];
    InstanceTag "instance_tag" 11 Text [];
    InstanceTag2 "instance_tag_2" 11 Text [];
    InterfaceTag "interface_tag" 11 Text [];
    InterfaceTag2 "interface_tag_2" 11 Text [];
    AsgTag "asg_tag" 11 Text [];
    AsgTag2 "asg_tag_2" 11 Text [];
    InterfaceType "interface_type" 11 Text [];
    NextHopInterfaceId "next_hop_interface_id" 11 Text [];
    NextHopSubnetId "next_hop_subnet_id" 11 Text [];
    NextHopAzId "next_hop_az_id" 11 Text [];
    NextHopVpcId "next_hop_vpc_id" 11 Text [];
    NextHopInterfaceType "next_hop_interface_type" 11 Text [];
}

/// The fields without which a file holds no flow records: addresses, ports, protocol, volume, times and action.
pub const REQUIRED: &[Field] = &[
    Field::Srcaddr,
    Field::Dstaddr,
    Field::Srcport,
    Field::Dstport,
    Field::Protocol,
    Field::Packets,
    Field::Bytes,
    Field::Start,
    Field::End,
    Field::Action,
];

/// Returns the field of the packets' own address that a column also holds, if `endpoint` is one of OCSF's two addresses
/// and `has_intermediate` addresses stand beside it, which are the addresses of the ENI.
pub fn packet_field_of(endpoint: &str, has_intermediate: impl Fn(Field) -> bool) -> Option<Field> {
    let (own, packet) = match endpoint.to_ascii_lowercase().as_str() {
        "src_endpoint.ip" => (Field::Srcaddr, Field::PktSrcaddr),
        "dst_endpoint.ip" => (Field::Dstaddr, Field::PktDstaddr),
        _ => return None,
    };
    has_intermediate(own).then_some(packet)
}

/// Returns the field that a column name stands for, and the rank of the match: 0 for AWS's own name, more for aliases.
///
/// Case does not matter and `-` equals `_`, so `srcaddr`, `srcAddr` and `src-addr` are all understood.
pub fn field_of(column: &str) -> Option<(Field, usize)> {
    let name = column.to_ascii_lowercase().replace('-', "_");
    FIELDS.iter().find_map(|&field| {
        if field.name() == name {
            return Some((field, 0));
        }
        field.aliases().iter().position(|alias| *alias == name).map(|rank| (field, rank + 1))
    })
}

/// Returns whether a text stands for a missing value: empty, `-`, `None`, `null` or `nan`.
pub fn is_missing(text: &str) -> bool {
    matches!(text, "-" | "" | "None" | "none" | "null" | "NULL" | "nan" | "NaN")
}

/// Converts a time to whole seconds: values far beyond any second count are milli-, micro- or nanoseconds.
///
/// Some writers contradict AWS's documentation and store milliseconds; 10^11 seconds is the year 5138.
pub const fn to_seconds(time: i64) -> i64 {
    if time < 100_000_000_000 {
        time
    } else if time < 100_000_000_000_000 {
        time / 1_000
    } else if time < 100_000_000_000_000_000 {
        time / 1_000_000
    } else {
        time / 1_000_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_fields_as_aws_does() {
        let up_to = |version: u8| FIELDS.iter().filter(|field| field.version() <= version).count();
        assert_eq!((up_to(2), up_to(3), up_to(4), up_to(5)), (14, 21, 25, 29));
        assert_eq!((up_to(7), up_to(8), up_to(9), up_to(10), up_to(11)), (39, 40, 41, 42, 54));
    }

    #[test]
    fn understands_other_names() {
        assert_eq!(field_of("srcAddr"), Some((Field::Srcaddr, 0)));
        assert_eq!(field_of("src_endpoint.ip"), Some((Field::Srcaddr, 4)));
        assert_eq!(field_of("log-status"), Some((Field::LogStatus, 0)));
        assert_eq!(field_of("nonsense"), None);
        let mut names: Vec<&str> = FIELDS.iter().flat_map(|f| f.aliases().iter().copied().chain([f.name()])).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all, "a name stands for two fields");
    }

    #[test]
    fn brings_times_to_seconds() {
        for time in [1_649_721_732, 1_649_721_732_000, 1_649_721_732_000_000, 1_649_721_732_000_000_000] {
            assert_eq!(to_seconds(time), 1_649_721_732);
        }
    }
}
